import type { Argument, Command, Option } from 'commander';

/** What a value may be: one of some words, a file, a folder, a topology file, or anything. */
export type Values =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'file' | 'folder' | 'topology' | 'unknown' };

export interface CompletedOption {
  /** `--limit`, and `-V` beside `--version`. */
  readonly names: readonly string[];
  readonly description: string;
  /** Undefined: it takes no value. */
  readonly values: Values | undefined;
}

/** A command as a shell completes it. */
export interface CompletedCommand {
  /** `dlq list`; empty for the program itself. */
  readonly path: string;
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
  readonly commands: readonly CompletedCommand[];
  /** What its arguments may be; undefined if it takes none. */
  readonly argument: Values | undefined;
}

/** The command line as a completion tree, read from the program itself so that the two cannot diverge. */
export function treeOf(command: Command, path = ''): CompletedCommand {
  const help = command.createHelp();
  const commands = help.visibleCommands(command).filter((each) => each.name() !== 'help');
  return {
    path,
    name: command.name(),
    description: sentence(command.description()),
    options: help.visibleOptions(command).map(optionOf),
    commands: commands.map((each) => treeOf(each, path === '' ? each.name() : `${path} ${each.name()}`)),
    argument: argumentOf(command.registeredArguments),
  };
}

/** All commands, the program first. */
export function* commandsOf(tree: CompletedCommand): Generator<CompletedCommand> {
  yield tree;
  for (const command of tree.commands) yield* commandsOf(command);
}

function optionOf(option: Option): CompletedOption {
  const { short, long, flags, argChoices, description } = option;
  const takesValue = option.required || option.optional;
  return {
    names: [long, short].filter((name) => name !== undefined),
    description: sentence(description),
    values: takesValue ? valuesOf(/[<[]([^\]>.]+)/.exec(flags)?.[1] ?? '', argChoices) : undefined,
  };
}

/** The scripts do not know which argument they complete: the first one with known values stands for all. */
function argumentOf(args: readonly Argument[]): Values | undefined {
  const values = args.map((argument) => valuesOf(argument.name(), argument.argChoices));
  return values.find(({ kind }) => kind !== 'unknown') ?? values[0];
}

function valuesOf(name: string, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return { kind: 'words', words: choices };
  if (name === 'topology') return { kind: 'topology' };
  if (name === 'file') return { kind: 'file' };
  return { kind: name === 'dir' ? 'folder' : 'unknown' };
}

/** The first sentence, without its full stop: completions have one line. */
function sentence(text: string): string {
  return text.split(/(?<=[^.])\.(?:\s|$)|[:;]\s/)[0].replace(/\s+/g, ' ');
}
