import { findHostAdapter } from '../../src/host/node-adapter.ts';

/**
 * The tests' adapter, but its devices accept all dispatches and skip those whose pipeline's label `isDead`
 * names, as a GPU with a broken driver does.
 */
export async function dyingGpu(isDead: (label: string) => boolean): Promise<GPU> {
  const { adapter } = await findHostAdapter();
  const requestDevice = adapter.requestDevice.bind(adapter);
  adapter.requestDevice = async (descriptor) => {
    const device = await requestDevice(descriptor);
    const createCommandEncoder = device.createCommandEncoder.bind(device);
    device.createCommandEncoder = (...options) => {
      const encoder = createCommandEncoder(...options);
      const beginComputePass = encoder.beginComputePass.bind(encoder);
      encoder.beginComputePass = (...options) => {
        const pass = beginComputePass(...options);
        const setPipeline = pass.setPipeline.bind(pass);
        const dispatch = pass.dispatchWorkgroups.bind(pass);
        let label = '';
        pass.setPipeline = (pipeline) => {
          label = pipeline.label;
          return setPipeline(pipeline);
        };
        pass.dispatchWorkgroups = (...grid) => (isDead(label) ? undefined : dispatch(...grid));
        return pass;
      };
      return encoder;
    };
    return device;
  };
  return { requestAdapter: async () => adapter } as unknown as GPU;
}
