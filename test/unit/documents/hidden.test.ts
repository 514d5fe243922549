// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such references are what is tested
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseYaml } from '../../../src/documents/yaml-document.ts';

function excerpt(line: string): string {
  return parseYaml('x.yaml', line).atLine(1, 1, [], 'is wrong', 'mend it').excerpt;
}

test('a secret written into a file in place of a reference appears in no finding', () => {
  for (const [line, shown] of [
    ['password: canary', 'password: ******'],
    ["const kafkaPassword = 'canary';", 'const kafkaPassword = ********;'],
    ['sasl: { username: me, password: "can ary", x: 1 }', 'sasl: { username: **, password: *********, x: 1 }'],
    ["clientSecret: 'canary", 'clientSecret: *******'],
    ['  "token" : canary,', '  "token" : ******,'],
    ['url: "http://me:canary@host:1"', 'url: "http://*********@host:1"'],
    ['  pasword: canary', '  pasword: ******'],
    ['  kafkaPassword: canary', '  kafkaPassword: ******'],
    ['password: "${NOPE:-canary}"', 'password: "${NOPE:-******}"'],
    ['url: "redis://me:can/ary@host:1/2"', 'url: "redis://**********@host:1/2"'],
    ['url: "https://host:8081/x?apikey=canary&a=1"', 'url: "https://host:8081/x?apikey=******&a=1"'],
    [`   ${'Y1hX+/M6'.repeat(8)}`, `   ${'*'.repeat(64)}`],
    ['key: "-----BEGIN EC PRIVATE KEY-----\\ncanary"', 'key: "-----BEGIN EC PRIVATE KEY-----*********'],
    ['brokers: "me:canary@host:9092,host2:9092"', 'brokers: "*********@host:9092,host2:9092"'],
  ] as const)
    assert.equal(excerpt(line), shown);
});

test('references and everything else are unchanged', () => {
  for (const line of [
    'password: "${A}"',
    'token: ${file:x}',
    'url: "http://host/a@b"',
    'url: "http://host:8081/a@b"',
    'folder: a/folder/of/many/others/that/is/as/long/as/a/line/of/a/key',
    'topic: password',
    'maxTokens: 4',
    'tokenEndpoint: "https://host/token"',
    'brokers: "a:9092,b:9092"',
    'key: "{user}@{host}"',
  ])
    assert.equal(excerpt(line), line);
});
