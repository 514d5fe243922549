import type { CheckFinding } from '../documents/finding.ts';
import type { Path } from '../documents/yaml-document.ts';
import type { TopologyFile } from './schema.ts';

type Report = (path: Path, message: string, remedy: string, severity?: CheckFinding['severity']) => void;

/** What `model.deviceIds` needs from the keys beside it. Whether the machine has such devices is found out when the model is loaded. */
export function checkDevices({ model }: TopologyFile, report: Report): void {
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
