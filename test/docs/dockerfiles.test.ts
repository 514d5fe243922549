import assert from 'node:assert/strict';
import { existsSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { bindingFolder } from '../../src/adapters/onnx/binding.ts';
import { ROOT, read } from './pages.ts';

/**
 * Images are not built here: no Docker engine is needed to test. What can be known of a Dockerfile without one is.
 */
const FILES = ['deploy/Dockerfile', 'deploy/Dockerfile.gpu'];
const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };

interface Instruction {
  readonly name: string;
  readonly text: string;
}

function instructionsOf(file: string): Instruction[] {
  const lines = read(file)
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const [, name, text] = /^([A-Z]+) +(.*)$/.exec(line) ?? [];
    assert.ok(name !== undefined, `${file}: ${line}`);
    return { name, text };
  });
}

const KNOWN = 'ARG FROM WORKDIR COPY RUN ENV USER EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD'.split(' ');

for (const file of FILES) {
  const instructions = instructionsOf(file);
  const all = (name: string): string[] => instructions.filter((each) => each.name === name).map(({ text }) => text);

  test(`${file}: each line is an instruction, and stages that are named are there`, () => {
    for (const { name } of instructions) assert.ok(KNOWN.includes(name), name);
    const stages = all('FROM').map((text) => / AS (\w+)$/.exec(text)?.[1]);
    for (const text of all('COPY')) {
      const [, from] = /^--from=(\w+)/.exec(text) ?? [];
      if (from !== undefined) assert.ok(stages.includes(from), text);
    }
    for (const text of all('FROM')) assert.match(text, /^\S+:\S+( AS \w+)?$/, 'an image by its tag');
    for (const [, name] of all('FROM')
      .join(' ')
      .matchAll(/\$\{(\w+)\}/g))
      assert.ok(
        all('ARG').some((text) => text.startsWith(`${name}=`)),
        `${name} has a value before the first stage`,
      );
  });

  test(`${file}: what is copied from the repository is there, and not kept from the build`, () => {
    const ignore = read(`${file}.dockerignore`).split('\n');
    assert.ok(ignore.includes('*'), 'all but what is named');
    for (const text of all('COPY').filter((each) => !each.startsWith('--from'))) {
      for (const path of text.split(/ +/).slice(0, -1)) {
        assert.ok(existsSync(join(ROOT, path)), path);
        assert.ok(ignore.includes(`!${path}`), `${path} is ignored`);
      }
    }
  });

  test(`${file}: it runs as nobody’s root, ends on SIGTERM, and starts a command that there is`, () => {
    const last = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'));
    const user = last.find(({ name }) => name === 'USER')?.text ?? 'root';
    assert.doesNotMatch(user, /^(root|0)\b/);
    assert.deepEqual(all('STOPSIGNAL'), ['SIGTERM']);
    assert.deepEqual(JSON.parse(all('ENTRYPOINT')[0]), ['node', 'dist/main.js']);
    const [command, topology] = JSON.parse(all('CMD').at(-1) ?? '[]');
    assert.equal(command, 'run');
    assert.ok(existsSync(join(ROOT, topology)));
    assert.match(all('FROM')[0], /^node:24-/, 'the Node that package.json asks for');
  });
}

test('the image for GPUs takes provider libraries of the very version of ONNX Runtime, to where it looks for them', () => {
  const text = read('deploy/Dockerfile.gpu');
  assert.equal(/^ARG ONNXRUNTIME_VERSION=(.*)$/m.exec(text)?.[1], dependencies['onnxruntime-node']);
  const [, target] = /^COPY --from=providers \S+ \.\/(\S+)\/$/m.exec(text) ?? [];
  assert.equal(
    target.replace(/linux\/x64$/, join(process.platform, process.arch)),
    join('node_modules', relative(realpathSync(join(ROOT, 'node_modules')), bindingFolder())),
  );
});

test('both images are built from the same files', () => {
  assert.equal(read(`${FILES[1]}.dockerignore`), read(`${FILES[0]}.dockerignore`));
});
