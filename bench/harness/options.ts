/**
 * Command-line options of a bench: `--help` prints its usage; an unknown word is answered with one line and exit code 2, before
 * anything is started.
 */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { didYouMean } from '../../src/documents/did-you-mean.ts';

type Parsed<Config extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ readonly options: Config; readonly allowPositionals: true }>
>['values'];

export interface Asked<Config extends ParseArgsOptionsConfig> {
  readonly options: Parsed<Config>;
  readonly words: readonly string[];
}

/** The parsed options; `help` if the usage is asked for, `wrong` if a word is unknown. */
export function judgeOptions<const Config extends ParseArgsOptionsConfig>(
  config: Config,
  argv: readonly string[],
  wordsAtMost = 0,
): Asked<Config> | { readonly help: true } | { readonly wrong: string } {
  if (argv.includes('--help') || argv.includes('-h')) return { help: true };
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: config,
      allowPositionals: true,
      allowNegative: true,
    });
    if (positionals.length > wordsAtMost) return { wrong: `no place for ${positionals[wordsAtMost]}` };
    return { options: values as Parsed<Config>, words: positionals };
  } catch (thrown) {
    const { code, message } = thrown as Error & { readonly code?: string };
    const [first] = message.split('. ');
    if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return { wrong: first };
    const name = /'(-[^']*)'/.exec(message)?.[1] ?? first;
    const known = Object.keys(config).map((each) => `--${each}`);
    return { wrong: `no option ${name}${didYouMean(name, known)}` };
  }
}

/** For the running script: ends the process if there is nothing to run. */
export function readOptions<const Config extends ParseArgsOptionsConfig>(
  usage: string,
  config: Config,
  wordsAtMost = 0,
): Asked<Config> {
  const asked = judgeOptions(config, process.argv.slice(2), wordsAtMost);
  if ('wrong' in asked) return refuse(`${asked.wrong}; --help says what there is`);
  if ('options' in asked) return asked;
  process.stdout.write(`${usage.trim()}\n`);
  process.exit(0);
}

/** One of a list, by its name. */
export function named<Value>(what: string, name: string, all: ReadonlyMap<string, Value>): Value {
  const found = all.get(name);
  if (found !== undefined) return found;
  const known = [...all.keys()];
  return refuse(`no ${what} ${name}${didYouMean(name, known)}; there are ${known.join(', ')}`);
}

export function positive(option: string, text: string): number {
  const value = Number(text);
  return value > 0 && Number.isFinite(value) ? value : refuse(`--${option} ${text} is no number above zero`);
}

export function refuse(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
