import { Argument, type Command } from 'commander';
import type { Io } from '../io.ts';

const HELP = `
The script goes to standard output. For this shell, now:
  $ source <(sluice completion bash)          # zsh the same, behind compinit
  $ sluice completion fish | source
For all to come, a line of ~/.bashrc or ~/.zshrc, or ~/.config/fish/completions/sluice.fish.`;

/** `sluice completion`: a completion script generated from the program. `root` must have all commands by then. */
export function addCompletion(root: Command, io: Io): void {
  root
    .command('completion')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .description('A script that completes commands, options and files in your shell.')
    .addHelpText('after', HELP)
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const { treeOf } = await import('./tree.ts');
      const tree = treeOf(root);
      if (shell === 'bash') io.stdout.write((await import('./bash.ts')).bashScript(tree));
      else if (shell === 'zsh') io.stdout.write((await import('./zsh.ts')).zshScript(tree));
      else io.stdout.write((await import('./fish.ts')).fishScript(tree));
    });
}
