// The kernels and gradients that the rows need, registered one by one, as TensorFlow.js has it for small
// bundles; to use another one is an error that names it.

import { registerGradient, registerKernel } from "@tensorflow/tfjs-core";
import { addGradConfig } from "@tensorflow/tfjs-core/dist/gradients/Add_grad";
import { batchMatMulGradConfig } from "@tensorflow/tfjs-core/dist/gradients/BatchMatMul_grad";
import { conv2DGradConfig } from "@tensorflow/tfjs-core/dist/gradients/Conv2D_grad";
import { maxPoolGradConfig } from "@tensorflow/tfjs-core/dist/gradients/MaxPool_grad";
import { meanGradConfig } from "@tensorflow/tfjs-core/dist/gradients/Mean_grad";
import { multiplyGradConfig } from "@tensorflow/tfjs-core/dist/gradients/Multiply_grad";
import { negGradConfig } from "@tensorflow/tfjs-core/dist/gradients/Neg_grad";
import { reluGradConfig } from "@tensorflow/tfjs-core/dist/gradients/Relu_grad";
import { reshapeGradConfig } from "@tensorflow/tfjs-core/dist/gradients/Reshape_grad";
import { sliceGradConfig } from "@tensorflow/tfjs-core/dist/gradients/Slice_grad";
import { squareGradConfig } from "@tensorflow/tfjs-core/dist/gradients/Square_grad";
import { subGradConfig } from "@tensorflow/tfjs-core/dist/gradients/Sub_grad";
import { sumGradConfig } from "@tensorflow/tfjs-core/dist/gradients/Sum_grad";
import "@tensorflow/tfjs-backend-webgpu/dist/base";
import { addConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Add";
import { avgPoolConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/AvgPool";
import { batchMatMulConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/BatchMatMul";
import { castConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Cast";
import { concatConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Concat";
import { conv2DConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Conv2D";
import {
  conv2DBackpropFilterConfig,
} from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Conv2DBackpropFilter";
import { conv2DBackpropInputConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Conv2DBackpropInput";
import { expConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Exp";
import { fillConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Fill";
import { fusedBatchNormConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/FusedBatchNorm";
import { fusedConv2DConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/FusedConv2D";
import { identityConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Identity";
import { logConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Log";
import { maxConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Max";
import { maxPoolConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/MaxPool";
import {
  maxPoolGradConfig as maxPoolGradKernel,
} from "@tensorflow/tfjs-backend-webgpu/dist/kernels/MaxPoolGrad";
import { maximumConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Maximum";
import { meanConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Mean";
import { multiplyConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Multiply";
import { negConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Neg";
import { padV2Config } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/PadV2";
import { realDivConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/RealDiv";
import { reluConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Relu";
import { reshapeConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Reshape";
import { rsqrtConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Rsqrt";
import { sliceConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Slice";
import { softmaxConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Softmax";
import { sqrtConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Sqrt";
import { squareConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Square";
import { squaredDifferenceConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/SquaredDifference";
import { stepConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Step";
import { subConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Sub";
import { sumConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/Sum";
import { zerosLikeConfig } from "@tensorflow/tfjs-backend-webgpu/dist/kernels/ZerosLike";

for (const config of [
  addConfig, avgPoolConfig, batchMatMulConfig, castConfig, concatConfig, conv2DConfig,
  conv2DBackpropFilterConfig, conv2DBackpropInputConfig, expConfig, fillConfig, fusedBatchNormConfig,
  fusedConv2DConfig, identityConfig, logConfig, maxConfig, maxPoolConfig, maxPoolGradKernel,
  maximumConfig, meanConfig, multiplyConfig, negConfig, padV2Config, realDivConfig, reluConfig,
  reshapeConfig, rsqrtConfig, sliceConfig, softmaxConfig, sqrtConfig, squareConfig,
  squaredDifferenceConfig, stepConfig, subConfig, sumConfig, zerosLikeConfig,
]) {
  registerKernel(config);
}

for (const config of [
  addGradConfig, batchMatMulGradConfig, conv2DGradConfig, maxPoolGradConfig, meanGradConfig,
  multiplyGradConfig, negGradConfig, reluGradConfig, reshapeGradConfig, sliceGradConfig, squareGradConfig,
  subGradConfig, sumGradConfig,
]) {
  registerGradient(config);
}
