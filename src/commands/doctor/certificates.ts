import { X509Certificate } from 'node:crypto';
import { pemOf, type TlsSettings } from '../../kernel/connections/tls.ts';
import { type Diagnosis, ok, problem, warning } from './finding.ts';

const DAY_MS = 24 * 60 * 60_000;
/** Time enough to renew a certificate. */
const SOON_DAYS = 30;

/** Expiry of our own certificates; whether they are readable is among the topology's findings. */
export function checkOwn(tls: TlsSettings | undefined, where: string, nowMs: number): Diagnosis[] {
  const named = { ca: tls?.ca, cert: tls?.cert };
  return Object.entries(named).flatMap(([key, secret]) => {
    if (secret === undefined) return [];
    const { validTo } = new X509Certificate(pemOf(secret));
    return [checkEnd(`${where}.ssl.${key}`, Date.parse(validTo), nowMs)];
  });
}

export function checkEnd(whose: string, endsMs: number, nowMs: number): Diagnosis {
  const days = Math.floor((endsMs - nowMs) / DAY_MS);
  const date = new Date(endsMs).toISOString().slice(0, 10);
  if (days < 0) return problem('certificate', `${whose} has ended, on ${date}`, 'have it renewed');
  if (days < SOON_DAYS) return warning('certificate', `${whose} ends in ${days} days, on ${date}`, 'have it renewed');
  return ok('certificate', `${whose} is good until ${date}`);
}
