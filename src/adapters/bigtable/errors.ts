import { status } from '@grpc/grpc-js';
import { SluiceError } from '../../kernel/errors.ts';

/** Translates Bigtable's errors; a SluiceError passes through. Total: an unknown status is retried. */
export function translate(error: unknown, table: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const code = codeOf(error);
  const details = detailsOf(error);
  const said = code === undefined ? details : `${status[code]}: ${details}`;
  if (/unknown (column )?family/i.test(details)) return unknownFamily(table, said, error);
  switch (code) {
    case status.NOT_FOUND:
      return new SluiceError(
        'table-missing',
        `Bigtable has no table "${table}" (${said}); \`sluice features load\` creates and fills it, or correct the table, project or instance in the topology`,
        error,
      );
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return new SluiceError(
        'store-refused',
        `Bigtable refused access to table "${table}" (${said}); reading takes the role roles/bigtable.reader`,
        error,
      );
    case status.INVALID_ARGUMENT:
    case status.FAILED_PRECONDITION:
    case status.OUT_OF_RANGE:
    case status.UNIMPLEMENTED:
      return new SluiceError('store-refused', `Bigtable refused a request for table "${table}" (${said})`, error);
    default:
      return new SluiceError(
        'store-unavailable',
        `Bigtable did not answer for table "${table}" (${said}); check connections.bigtable, BIGTABLE_EMULATOR_HOST if it is set, and that it runs`,
        error,
      );
  }
}

export function unknownFamily(table: string, said: string, cause?: unknown): SluiceError {
  return new SluiceError(
    'store-refused',
    `table "${table}" lacks a column family that is asked for (${said}); create it, or correct the view's family`,
    cause,
  );
}

export function codeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' && code in status ? code : undefined;
}

function detailsOf(error: unknown): string {
  const { details, message } = (error ?? {}) as { details?: unknown; message?: unknown };
  return String(details || message || error);
}
