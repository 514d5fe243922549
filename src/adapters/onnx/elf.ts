import { closeSync, openSync, readSync } from 'node:fs';

/** What a shared library says it needs, and where it says to look for that. */
export interface DynamicSection {
  /** Names of libraries, as the loader will look for them. */
  readonly needed: readonly string[];
  /** Folders that come before the system's; `$ORIGIN` is the library's own. */
  readonly runPath: readonly string[];
}

const MAGIC = 0x7f454c46;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const HEADER_BYTES = 64;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_STRSZ = 10;
const DT_RPATH = 15;
const DT_RUNPATH = 29;
const ENTRY_BYTES = 16;
/** A file that claims more is none of ours. */
const MAX_SECTION_BYTES = 16 * 1024 * 1024;

/**
 * The dynamic section of an ELF file: a few kilobytes of it are read, however large it is. Undefined for what is no 64-bit
 * little-endian library, or is cut off. Source: System V ABI, gABI chapter 5.
 */
export function readDynamicSection(file: string): DynamicSection | undefined {
  const fd = openSync(file, 'r');
  try {
    return parse((at, bytes) => {
      if (!(bytes >= 0 && bytes <= MAX_SECTION_BYTES && Number.isSafeInteger(at))) return undefined;
      const into = Buffer.alloc(bytes);
      return readSync(fd, into, 0, bytes, at) === bytes ? into : undefined;
    });
  } finally {
    closeSync(fd);
  }
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
}

function parse(read: (at: number, bytes: number) => Buffer | undefined): DynamicSection | undefined {
  const header = read(0, HEADER_BYTES);
  if (header?.readUInt32BE(0) !== MAGIC || header[4] !== CLASS_64 || header[5] !== LITTLE_ENDIAN) return undefined;
  const entryBytes = header.readUInt16LE(54);
  const table = read(Number(header.readBigUInt64LE(32)), entryBytes * header.readUInt16LE(56));
  if (table === undefined || entryBytes < 56) return undefined;
  const segments: Segment[] = [];
  for (let at = 0; at + entryBytes <= table.length; at += entryBytes) {
    segments.push({
      type: table.readUInt32LE(at),
      offset: Number(table.readBigUInt64LE(at + 8)),
      address: Number(table.readBigUInt64LE(at + 16)),
      bytes: Number(table.readBigUInt64LE(at + 32)),
    });
  }
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  const entries = dynamic && read(dynamic.offset, dynamic.bytes);
  if (entries === undefined) return undefined;
  const values = (tag: number): number[] => {
    const found: number[] = [];
    for (let at = 0; at + ENTRY_BYTES <= entries.length; at += ENTRY_BYTES) {
      if (Number(entries.readBigUInt64LE(at)) === tag) found.push(Number(entries.readBigUInt64LE(at + 8)));
    }
    return found;
  };
  const [address] = values(DT_STRTAB);
  const [bytes] = values(DT_STRSZ);
  const home = segments.find(
    (segment) => segment.type === PT_LOAD && address >= segment.address && address < segment.address + segment.bytes,
  );
  const strings = home && read(home.offset + address - home.address, bytes);
  if (strings === undefined) return undefined;
  const text = (at: number): string => strings.toString('latin1', at, Math.max(at, strings.indexOf(0, at)));
  return {
    needed: values(DT_NEEDED).map(text),
    runPath: [...values(DT_RUNPATH), ...values(DT_RPATH)].flatMap((at) => text(at).split(':')).filter(Boolean),
  };
}
