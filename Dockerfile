# syntax=docker/dockerfile:1
# Runs `reproduce` and `bench` on an NVIDIA GPU, or on lavapipe where there is none:
#   docker build -t collimate .
#   docker run --rm --gpus all -v "$PWD/results:/collimate/results" collimate reproduce -- mnist-fc
#   docker run --rm -v "$PWD/results:/collimate/results" collimate bench
FROM node:22-trixie-slim AS dependencies
WORKDIR /collimate
COPY package.json package-lock.json ./
# With the development dependencies that `bench` and `test` run on, without those that only check the source.
RUN npm ci \
 && rm -rf node_modules/typescript node_modules/@typescript node_modules/@biomejs \
           node_modules/@arethetypeswrong node_modules/webpack node_modules/playwright-core \
           node_modules/webgpu/dist/darwin-* node_modules/webgpu/dist/win32-* \
           node_modules/@sparticuz/chromium/bin/chromium.br

FROM node:22-trixie-slim
# The Vulkan loader, lavapipe, and the libraries that NVIDIA's driver, which comes from the host, is linked to.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libvulkan1 mesa-vulkan-drivers libegl1 libglvnd0 libx11-6 libxext6 \
 && rm -rf /var/lib/apt/lists/*
# Hosts whose container toolkit brings the driver without its manifest; where it brings one, that replaces this.
RUN mkdir -p /etc/vulkan/icd.d \
 && echo '{"file_format_version": "1.0.0", "ICD": {"library_path": "libGLX_nvidia.so.0", "api_version": "1.3"}}' \
    > /etc/vulkan/icd.d/nvidia_icd.json
# Vulkan is part of `graphics`; without it a container gets CUDA alone.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility \
    COLLIMATE_CACHE=/collimate/cache NPM_CONFIG_UPDATE_NOTIFIER=false

WORKDIR /collimate
COPY --chown=node:node --from=dependencies /collimate/node_modules node_modules
COPY --chown=node:node . .
# Open to any user that the container is started as.
RUN chown node:node . && mkdir -p results cache && chmod 1777 results cache
USER node
VOLUME /collimate/results
# `docker run … collimate <command> [arguments]` is `npm run <command> [arguments]`.
ENTRYPOINT ["npm", "run"]
CMD ["doctor"]
