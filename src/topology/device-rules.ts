import type { CheckFinding } from '../documents/finding.ts';
import type { Path } from '../documents/yaml-document.ts';
import type { TopologyFile } from './schema.ts';

type Report = (path: Path, message: string, remedy: string, severity?: CheckFinding['severity']) => void;

/** Checks `model.device` and `model.deviceIds` against other keys. Whether the machine has the devices shows when the model is loaded. */
export function checkDevices(file: TopologyFile, report: Report): void {
  const { model } = file;
  if (model.device === 'webgpu' && model.isolation === 'none') checkWebGpu(file, report);
  const { deviceIds, device, isolation, placement, sessions } = model;
  if (deviceIds === undefined) return;
  const path = ['model', 'deviceIds'];
  if (device === 'auto') {
    const message = 'are GPUs, and device: auto may end on the CPU: with fewer devices than were asked for, quietly';
    report(path, message, 'write device: cuda, or leave deviceIds out');
    return;
  }
  if (device !== 'cuda' && device !== 'tensorrt') {
    report(path, `are GPUs, and device: ${device} has no numbers`, 'write device: cuda, or leave deviceIds out');
    return;
  }
  deviceIds.forEach((id, k) => {
    if (deviceIds.indexOf(id) < k)
      report([...path, k], `${id} is named twice`, 'name each GPU once; sessions: says how many there are on them');
  });
  if (deviceIds.length === 1) return;
  if (isolation === 'process') {
    const message = `are ${deviceIds.length}, and with isolation: process there is one session, on one GPU`;
    report(path, message, 'leave one id, and start an instance a GPU; or leave isolation out');
  } else if (placement === 'inline') {
    const message = `are ${deviceIds.length}, and with placement: inline there is one session, on one GPU`;
    report(path, message, 'leave placement out, or leave one id');
  } else if (sessions !== 'auto' && sessions < deviceIds.length) {
    const message = `is ${sessions}, and deviceIds names ${deviceIds.length} GPUs: some would have nothing to do`;
    report(['model', 'sessions'], message, 'give each GPU a session at least, or leave sessions out');
  }
}

/**
 * ONNX Runtime 1.30 has one WebGPU context per process, and sessions that use it from two threads at once corrupt memory
 * (microsoft/onnxruntime#32561; cause) → the process usually crashes (effect) → only one thread per process may use it (guard).
 */
function checkWebGpu({ model, onOverload }: TopologyFile, report: Report): void {
  const { sessions, placement } = model;
  if (sessions !== 'auto' && sessions > 1) {
    const message = `is ${sessions}, and device: webgpu can be used by one thread of a process only`;
    report(['model', 'sessions'], message, 'leave sessions out; start more processes to use more of the device');
  }
  if (onOverload?.smallerModel !== undefined && placement !== 'inline') {
    const message =
      'may run in a thread beside that of the model, and device: webgpu can be used by one thread of a process only';
    report(['onOverload', 'smallerModel'], message, 'add placement: inline, or isolation: process');
  }
}
