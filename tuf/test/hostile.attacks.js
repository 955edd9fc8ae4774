// Why: metadata is read before it is verified, so every shape of it comes from the attacker. Some is even well signed:
// then it comes from a publisher's mistake, and is still refused with a reason.
'use strict';
const assert = require('node:assert/strict');
const { Repository, newKey, days } = require('./repository');

const all = { root: 1, snapshot: 1, targets: 1, timestamp: 1 };
const unsignedShapes = {
  'nothing': '', 'not JSON': 'x', 'an array': '[]', 'a number': '1', 'null': 'null', 'an open string': '"', 'an empty object': '{}',
  'NUL': '\0', 'two values': '{} {}', 'not UTF-8': Buffer.from([0x22, 0xff, 0x22]), 'a lone surrogate': '{"a":"\\ud800"}', 'a byte order mark and nothing': '\ufeff',
  'signatures that are no list': '{"signatures":{},"signed":{}}', 'a signature without keyid': '{"signatures":[{"sig":""}],"signed":{"_type":"timestamp","spec_version":"1.0"}}',
  'depth': '['.repeat(8000) + ']'.repeat(8000), 'depth of objects': '{"a":'.repeat(2000) + '1' + '}'.repeat(2000), 'an open depth': '['.repeat(16000),
  'a member named twice': '{"signatures":[],"signed":{"_type":"timestamp","_type":"root"}}', 'a float': '{"signatures":[],"signed":{"version":1.5}}',
  'a number beyond 64 bits': '{"signatures":[],"signed":{"version":123456789012345678901234567890}}', 'an exponent': '{"signatures":[],"signed":{"version":1e1}}',
};
const signedShapes = {  // what is done to a role before it is signed
  'version 0': ['timestamp', (r) => { r.version = 0; }], 'version -1': ['timestamp', (r) => { r.version = -1; }], 'version as text': ['timestamp', (r) => { r.version = '2'; }],
  'no expiry': ['timestamp', (r) => { delete r.expires; }], 'expiry without zone': ['timestamp', (r) => { r.expires = '2099-01-01T00:00:00'; }],
  'expiry on 30 February': ['timestamp', (r) => { r.expires = '2099-02-30T00:00:00Z'; }], 'expiry at 24 o\'clock': ['timestamp', (r) => { r.expires = '2099-01-01T24:00:00Z'; }],
  'expiry as a number': ['timestamp', (r) => { r.expires = 4e9; }], 'specification 2': ['timestamp', (r) => { r.spec_version = '2.0.0'; }],
  'specification nonsense': ['timestamp', (r) => { r.spec_version = '1.x'; }], 'no snapshot in the timestamp': ['timestamp', (r) => { r.meta = {}; }],
  'length as text': ['timestamp', (r) => { r.meta['snapshot.json'].length = '10'; }], 'negative length': ['timestamp', (r) => { r.meta['snapshot.json'].length = -1; }],
  'empty hashes': ['timestamp', (r) => { r.meta['snapshot.json'].hashes = {}; }], 'no targets in the snapshot': ['snapshot', (r) => { r.meta = {}; }],
  'no version in the snapshot': ['snapshot', (r) => { r.meta['targets.json'] = {}; }], 'targets as a list': ['targets', (r) => { r.targets = []; }],
  'a target without length': ['targets', (r) => { r.targets.x = { hashes: { sha256: 'ab' } }; }], 'a target without hashes': ['targets', (r) => { r.targets.x = { length: 1, hashes: {} }; }],
  'custom that is no object': ['targets', (r) => { r.targets.x = { length: 1, hashes: { sha256: 'ab' }, custom: 1 }; }],
  'delegation with paths and prefixes': ['targets', (r) => { r.delegations = { keys: {}, roles: [{ name: 'A', keyids: [], threshold: 1, terminating: false, paths: [], path_hash_prefixes: [] }] }; }],
  'delegation with neither': ['targets', (r) => { r.delegations = { keys: {}, roles: [{ name: 'A', keyids: [], threshold: 1, terminating: false }] }; }],
  'delegation with threshold 0': ['targets', (r) => { r.delegations = { keys: {}, roles: [{ name: 'A', keyids: [], threshold: 0, terminating: false, paths: [] }] }; }],
  'delegation to one role twice': ['targets', (r) => { const role = { name: 'A', keyids: [], threshold: 1, terminating: false, paths: [] }; r.delegations = { keys: {}, roles: [role, role] }; }],
  'delegations of both kinds': ['targets', (r) => { r.delegations = { keys: {}, roles: [], succinct_roles: { keyids: [], threshold: 1, bit_length: 1, name_prefix: 'b' } }; }],
  'bins of 33 bits': ['targets', (r) => { r.delegations = { keys: {}, succinct_roles: { keyids: [], threshold: 1, bit_length: 33, name_prefix: 'b' } }; }],
  'a key that is a word': ['targets', (r) => { r.delegations = { keys: { ab: 'key' }, roles: [] }; }],
  'root without a timestamp role': ['root', (r) => { delete r.roles.timestamp; }], 'root with threshold 0': ['root', (r) => { r.roles.timestamp.threshold = 0; }],
  'root with a negative threshold': ['root', (r) => { r.roles.timestamp.threshold = -1; }], 'root with keys as a list': ['root', (r) => { r.keys = []; }],
  'consistent_snapshot as text': ['root', (r) => { r.consistent_snapshot = 'yes'; }],
};

module.exports = {
  ...Object.fromEntries(Object.entries(unsignedShapes).flatMap(([name, bytes]) => [['2.root', /2\.root/], ['timestamp', /timestamp/]].map(([role, where]) => [`${role} that is ${name}`, async (stage) => {
    const s = stage({ judge: false });
    await s.init();
    s.accepted(await s.refresh());
    s.on(where, (request, response) => response.end(bytes));
    s.refused(await s.refresh(), '(malformed|mismatch)');
    assert.deepEqual(s.trusted(), all);
  }]))),
  ...Object.fromEntries(Object.entries(signedShapes).map(([name, [role, change]]) => [`well signed: ${name}`, async (stage) => {
    const s = stage({ judge: false });
    await s.init();
    s.accepted(await s.refresh());
    if (role === 'targets') s.repo.publish('targets', 'snapshot', 'timestamp');
    if (role === 'snapshot') s.repo.publish('snapshot', 'timestamp');
    s.repo.roles[role].version = 2;
    change(s.repo.roles[role]);
    (s.repo.versions[role] = s.repo.versions[role].slice(0, 1)).push(s.repo.sign(s.repo.roles[role], s.repo.signers[role]));
    s.refused(await s.refresh(), 'malformed');
    assert.equal(s.trusted()[role], 1);
  }])),
  async 'a version number at the end of 64 bits'(stage) {
    const s = stage({ consistent: false, judge: false });
    await s.init();
    const text = JSON.stringify(s.repo.timestamp);
    s.on(/timestamp/, (request, response) => {
      const [key] = s.repo.signers.timestamp;
      const { canonicalize } = require('./repository');
      const signed = canonicalize(JSON.parse(text)).replace(/"version":1}$/, '"version":9223372036854775807}');
      response.end(`{"signatures":[{"keyid":"${key.id}","sig":"${key.sign(signed)}"}],"signed":${signed}}`);
    });
    s.accepted(await s.refresh());
  },
  async 'dates with a fraction of a second, key ids that are names: what tuf-js repositories contain'(stage) {
    const rm = require('./modules')('@tufjs/repo-mock');
    const repo = rm.initializeTUFRepo([{ name: 'dir/file', content: Buffer.from('mocked') }]);
    const handlers = rm.tufHandlers(repo, { metadataPathPrefix: 'metadata', targetPathPrefix: 'targets' });
    const s = stage({ judge: false });
    s.on(/./, (request, response, where) => {
      const found = handlers.find(({ path }) => path.replace(/^\//, '') === where);
      if (!found) return response.writeHead(404).end();
      const { statusCode, response: body } = found.fn();
      return response.writeHead(statusCode).end(body);
    });
    s.accepted(await s.init(JSON.stringify(repo.rootMeta.toJSON())));
    s.accepted(await s.download('dir/file'));
    assert.deepEqual(s.downloaded(), { 'dir/file': 'mocked' });
  },
  async 'another repository\'s metadata, well signed by its own keys'(stage) {
    const s = stage({ judge: false });
    await s.init();
    const other = new Repository();
    other.publish('root', 'targets', 'snapshot', 'timestamp');
    s.repo.versions = other.versions;
    s.refused(await s.refresh(), 'unsigned');
  },
};
