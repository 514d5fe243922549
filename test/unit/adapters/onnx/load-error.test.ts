import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadProblem } from '../../../../src/adapters/onnx/load-error.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-load-error-'));
after(() => rmSync(folder, { recursive: true }));

const PLACE =
  'Load model from m.onnx failed:/onnxruntime_src/onnxruntime/core/graph/model.cc:202 onnxruntime::Model::Model(onnx::ModelProto&&, const onnxruntime::ModelOptions&) ';

const CASES: readonly (readonly [what: string, bytes: string, native: string, says: RegExp])[] = [
  ['nothing', '', 'Protobuf parsing failed.', /^it is empty$/],
  ['a web page', '<!DOCTYPE html><html>', 'Protobuf parsing failed.', /^it is a web page, not a model: download/],
  ['what PyTorch saves', 'PK\x03\x04archive', 'Protobuf parsing failed.', /^it is a zip archive.*export the model/],
  ['a pickle', '\x80\x04\x95abc', 'Protobuf parsing failed.', /^it is a pickle of Python: export the model/],
  ['half a model', '\x08\x07\x12', `${PLACE}Protobuf parsing failed.`, /^it is no ONNX, or was cut off/],
  [
    'an opset to come',
    '\x08\x07',
    `${PLACE}ONNX Runtime only *guarantees* support … Opset 99 is under development and support for this is limited.\nCurrent official support for domain ai.onnx is till opset 26.`,
    /^it has opset 99 of ai\.onnx, and this ONNX Runtime reads them to 26: export it with target opset 26 or lower$/,
  ],
  [
    'an IR to come',
    '\x08\x07',
    `${PLACE}Unsupported model IR version: 99, max supported IR version: 13`,
    /^it has IR version 99, and .* reads them to 13: export it/,
  ],
  [
    'weights elsewhere',
    '\x08\x07',
    'External data path validation failed for initializer: w. Error: External data path does not exist: "/x/w.data"',
    /^its weights are in a file of their own, w\.data: put that beside it, into /,
  ],
  ['something else', '\x08\x07', `${PLACE}ModelProto does not have a graph.`, /^ModelProto does not have a graph\.$/],
  ['a message without a place', '\x08\x07', 'out of memory', /^out of memory$/],
];

for (const [what, bytes, native, says] of CASES) {
  test(`says what is wrong with ${what}`, () => {
    const file = join(folder, 'm.onnx');
    writeFileSync(file, Buffer.from(bytes, 'latin1'));
    assert.match(loadProblem(file, native), says);
  });
}

test('a file that cannot be read leaves the word to the runtime', () => {
  assert.equal(loadProblem(join(folder, 'none'), 'No such file'), 'No such file');
});
