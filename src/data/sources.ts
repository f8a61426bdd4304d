/** A file as its publisher offers it. */
export interface RemoteFile {
  readonly name: string;
  readonly url: string;
  readonly bytes: number;
  /** SHA-256 of the file as it is fetched. */
  readonly sha256: string;
  /** The file or folder that it unpacks to, and that serves in its place. */
  readonly unpacked: string;
}

export interface Source {
  /** The folder for its files, below the data folder. */
  readonly folder: string;
  readonly files: readonly RemoteFile[];
  /** Number of images. */
  readonly train: number;
  readonly test: number;
}

export type SourceName = 'fashion' | 'cifar10' | 'cifar100' | 'imagenette-160' | 'imagenette-320';
export type Sources = Readonly<Record<SourceName, Source>>;

/** Fashion-MNIST's authors keep the files in their repository; their other address has no HTTPS. */
const fashion = (name: string, bytes: number, sha256: string): RemoteFile => ({
  name: `${name}.gz`,
  url: `https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/${name}.gz`,
  bytes,
  sha256,
  unpacked: name,
});

const cifar = (name: string, bytes: number, sha256: string, unpacked: string): RemoteFile => ({
  name,
  url: `https://www.cs.toronto.edu/~kriz/${name}`,
  bytes,
  sha256,
  unpacked,
});

const imagenette = (side: number, bytes: number, sha256: string): Source => ({
  folder: 'imagenette',
  files: [
    {
      name: `imagenette2-${side}.tgz`,
      url: `https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-${side}.tgz`,
      bytes,
      sha256,
      unpacked: `imagenette2-${side}`,
    },
  ],
  train: 9_469,
  test: 3_925,
});

/**
 * What can be fetched. The publishers of Fashion-MNIST and CIFAR give MD5 checksums, which docs/data.md lists; the SHA-256
 * checksums and sizes are those of the same files in TensorFlow Datasets.
 */
export const SOURCES: Sources = {
  fashion: {
    folder: 'fashion',
    files: [
      fashion(
        'train-images-idx3-ubyte',
        26_421_880,
        '3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84',
      ),
      fashion(
        'train-labels-idx1-ubyte',
        29_515,
        'a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845',
      ),
      fashion(
        't10k-images-idx3-ubyte',
        4_422_102,
        '346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073',
      ),
      fashion(
        't10k-labels-idx1-ubyte',
        5_148,
        '67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5',
      ),
    ],
    train: 60_000,
    test: 10_000,
  },
  cifar10: {
    folder: 'cifar10',
    files: [
      cifar(
        'cifar-10-binary.tar.gz',
        170_052_171,
        'c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd',
        'cifar-10-batches-bin',
      ),
    ],
    train: 50_000,
    test: 10_000,
  },
  cifar100: {
    folder: 'cifar100',
    files: [
      cifar(
        'cifar-100-binary.tar.gz',
        168_513_733,
        '58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec',
        'cifar-100-binary',
      ),
    ],
    train: 50_000,
    test: 10_000,
  },
  'imagenette-160': imagenette(
    160,
    99_003_388,
    '64d0c4859f35a461889e0147755a999a48b49bf38a7e0f9bd27003f10db02fe5',
  ),
  'imagenette-320': imagenette(
    320,
    341_663_724,
    '569b4497c98db6dd29f335d1f109cf315fe127053cedf69010d047f0188e158c',
  ),
};
