// Why: thresholds are what stands between one stolen key and every device; each way of making one key look like two,
// and each kind of key that repositories use.
'use strict';
const assert = require('node:assert/strict');
const { newKey } = require('./repository');

const rotations = {  // [keys, threshold, signed by] for each root version, and whether the last is good
  'one for one': [[[1], 1, [1]], [[2], 1, [2, 1]], [[2], 1, [2]]],
  'one for one, with signatures of strangers': [[[1], 1, [3, 1, 4]], [[2], 1, [3, 2, 1, 4]], [[2], 1, [3, 2, 4]]],
  'three of five in changing company': [[[0, 1, 2, 3, 4], 3, [0, 2, 4]], [[0, 1, 2, 3, 4], 3, [0, 4, 1]], [[0, 1, 2, 3, 4], 3, [0, 1, 3]]],
  'three of five, one changed': [[[0, 1, 2, 3, 4], 3, [0, 2, 4]], [[0, 1, 3, 4, 5], 3, [0, 4, 1]]],
  'three of five, one changed by way of both': [[[0, 1, 2, 3, 4], 3, [0, 2, 4]], [[0, 1, 3, 4, 5], 3, [0, 2, 4, 5]], [[0, 1, 3, 4, 5], 3, [0, 4, 5]]],
  'all of five changed': [[[0, 1, 2, 3, 4], 3, [0, 2, 4]], [[5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]], [[5, 6, 7, 8, 9], 3, [5, 6, 7]]],
  'threshold raised': [[[1, 2, 3], 1, [1]], [[1, 2, 3], 2, [1, 2]]],
  'threshold lowered': [[[1, 2, 3], 2, [1, 2]], [[1, 2, 3], 1, [1, 2]], [[1, 2, 3], 1, [1]]],
  'key and threshold added': [[[1], 1, [1]], [[1, 2], 2, [1, 2]]],
  'not signed by the old key': [[[1], 1, [1]], [[2], 1, [2, 3, 4]], false],
  'not signed by the new key': [[[1], 1, [1]], [[2], 1, [1, 3, 4]], false],
  'too few new keys': [[[0, 1, 2, 3, 4], 3, [0, 2, 4]], [[0, 1, 3, 4, 5], 3, [0, 2, 4]], false],
  'too few old keys': [[[0, 1, 2, 3, 4], 3, [0, 2, 4]], [[0, 1, 3, 4, 5], 3, [0, 4, 5]], false],
  'raised threshold not reached': [[[1, 2, 3], 1, [1]], [[1, 2, 3], 2, [2]], false],
  'old threshold not reached when lowering': [[[1, 2, 3], 2, [1, 2]], [[1, 2, 3], 1, [1]], false],
};
const rolesSigned = {  // keys, threshold, signed by, good
  'new key': [[2], 1, [2], true],
  'signatures of strangers': [[1], 1, [3, 1, 4], true],
  'only the old key and strangers': [[2], 1, [1, 3, 4], false],
  'two of the three and a stranger': [[0, 1, 3, 4, 5], 3, [0, 2, 4], false],
  'two of the three': [[0, 1, 3, 4, 5], 3, [0, 4], false],
  'three of five': [[0, 1, 2, 3, 4], 3, [4, 2, 0], true],
  'all five for three': [[0, 1, 2, 3, 4], 3, [0, 1, 2, 3, 4], true],
};
const pool = Array.from({ length: 10 }, () => newKey());

function setKeys(repo, role, [keys, threshold, signers]) {
  Object.assign(repo.root.roles[role], { keyids: keys.map((i) => pool[i].id), threshold });
  for (const i of keys) repo.root.keys[pool[i].id] = pool[i].object;
  repo.signers[role] = signers.map((i) => pool[i]);
}

// A timestamp role with two keys of which the second is odd; threshold 2.
async function oddKey(stage, key, change = () => {}) {
  const s = stage();
  await s.init();
  s.repo.addKey('timestamp', key);
  s.repo.root.roles.timestamp.threshold = 2;
  change(s.repo);
  s.repo.publish('root', 'timestamp');
  return s;
}

module.exports = {
  ...Object.fromEntries(Object.entries(rotations).map(([name, steps]) => [`root rotation: ${name}`, async (stage) => {
    const s = stage();
    const good = steps.at(-1) !== false;
    s.repo.versions.root = [];
    s.repo.root.version = 0;
    for (const step of steps.filter(Boolean)) {
      setKeys(s.repo, 'root', step);
      s.repo.publish('root');
    }
    s.accepted(await s.init());
    const status = await s.refresh();
    if (good) s.accepted(status);
    else s.refused(status, 'unsigned');
    assert.deepEqual(s.kept('root'), s.repo.versions.root.at(good ? -1 : -2));
  }])),
  ...Object.fromEntries(['timestamp', 'snapshot', 'targets'].flatMap((role) => Object.entries(rolesSigned).map(([name, step]) => [`${role} rotation: ${name}`, async (stage) => {
    const s = stage();
    await s.init();
    s.accepted(await s.refresh());
    setKeys(s.repo, role, step);
    s.repo.publish('root', 'targets', 'snapshot', 'timestamp');
    const status = await s.refresh();
    if (step[3]) s.accepted(status);
    else s.refused(status, 'unsigned');
    assert.equal(s.trusted()[role], step[3] ? 2 : 1);
  }]))),

  ...Object.fromEntries(['ed25519', 'ecdsa', 'ecdsa-old-name', 'ecdsa-hex', 'ecdsa-p384', 'rsa', 'rsa-max-salt', 'rsa-pkcs1'].map((kind) => [`key of kind ${kind}, and a good-looking wrong signature of it`, async (stage) => {
    // tuf-js takes PKCS #1 signatures for PSS keys only, knows no P-384 and reads hex keys as compressed ones
    const s = stage({ judge: ['ed25519', 'ecdsa', 'ecdsa-old-name'].includes(kind) });
    await s.init();
    const key = s.repo.addKey('root', newKey(kind));
    s.repo.root.roles.root.threshold = 2;
    s.repo.publish('root');
    s.accepted(await s.refresh());
    assert.equal(s.trusted().root, 2);
    s.repo.publish('root');
    s.repo.bend('root', (file) => {
      file.signatures.find(({ keyid }) => keyid === key.id).sig = key.sign('something else');
    });
    s.refused(await s.refresh(), 'unsigned');
    assert.equal(s.trusted().root, 2);
  }])),
  async 'RSA keys under 2048 bits count for nothing'(stage) {
    const s = await oddKey(stage, newKey('rsa-1024'), () => {});
    s.refused(await s.refresh({ judge: false }), 'unsigned');
  },
  async 'an ECDSA key on another curve than its scheme says counts for nothing'(stage) {
    const key = newKey('ecdsa-p384');
    key.object.scheme = 'ecdsa-sha2-nistp256';
    const s = await oddKey(stage, key);
    s.refused(await s.refresh({ judge: false }), 'unsigned');
  },
  async 'a key of an unknown kind is passed over'(stage) {
    const key = newKey('ed25519', {});
    Object.assign(key.object, { keytype: 'sphincs', scheme: 'sphincs-shake-128s' });
    const s = await oddKey(stage, key, (repo) => { repo.root.roles.timestamp.threshold = 1; });
    s.accepted(await s.refresh({ judge: false }));
  },
  async 'a key of an unknown kind does not count'(stage) {
    const key = newKey();
    Object.assign(key.object, { keytype: 'sphincs', scheme: 'sphincs-shake-128s' });
    const s = await oddKey(stage, key);
    s.refused(await s.refresh({ judge: false }), 'unsigned');
  },
  async 'one key under two ids counts once'(stage) {
    const key = newKey();
    const s = await oddKey(stage, key, (repo) => {
      const alias = { ...key, id: 'ab'.repeat(32) };
      repo.root.roles.timestamp.keyids = [];
      repo.signers.timestamp = [];
      repo.addKey('timestamp', key);
      repo.addKey('timestamp', alias);
    });
    s.refused(await s.refresh({ judge: false }), 'unsigned');
  },
  async 'one key under two ids that are both right for their objects counts once'(stage) {
    const key = newKey();
    const s = await oddKey(stage, key, (repo) => {
      const object = { ...key.object, note: 'the same key, dressed up' };
      const { sha, canonicalize } = require('./repository');
      repo.root.roles.timestamp.keyids = [];
      repo.signers.timestamp = [];
      repo.addKey('timestamp', key);
      repo.addKey('timestamp', { ...key, object, id: sha('sha256', canonicalize(object)) });
    });
    s.refused(await s.refresh({ judge: false }), 'unsigned');
  },
  async 'a key id listed nine times'(stage) {
    const s = stage();
    await s.init();
    const key = newKey();
    for (let i = 0; i < 9; ++i) s.repo.addKey('snapshot', key);
    s.repo.root.roles.snapshot.threshold = 6;
    s.repo.publish('root', 'snapshot', 'timestamp');
    assert.equal(await s.refresh(), 1);
    assert.equal(s.trusted().snapshot, undefined);
  },
  async 'two signatures with one key id are refused although the threshold is reached'(stage) {
    const s = stage();
    await s.init();
    s.repo.bend('snapshot', (file) => file.signatures.push(file.signatures[0]));
    s.refused(await s.refresh(), 'malformed');
    assert.equal(s.trusted().snapshot, undefined);
  },
  async 'too few keys for the threshold'(stage) {
    const s = stage();
    await s.init();
    for (let i = 0; i < 4; ++i) s.repo.addKey('snapshot');
    s.repo.root.roles.snapshot.threshold = 6;
    s.repo.publish('root', 'snapshot', 'timestamp');
    s.refused(await s.refresh(), 'unsigned');
    assert.deepEqual(s.trusted(), { root: 2, timestamp: 2 });
  },
  async 'a good signature beside a wrong one and an empty one'(stage) {
    const s = stage();
    await s.init();
    const extra = s.repo.addKey('timestamp');
    s.repo.publish('root', 'timestamp');
    s.repo.bend('timestamp', (file) => { file.signatures.find(({ keyid }) => keyid === extra.id).sig = extra.sign('other'); });
    s.accepted(await s.refresh());
    s.repo.publish('timestamp');
    s.repo.bend('timestamp', (file) => { file.signatures.find(({ keyid }) => keyid === extra.id).sig = ''; });
    s.accepted(await s.refresh());
    assert.equal(s.trusted().timestamp, 3);
  },
  async 'unknown fields are inside what is signed'(stage) {
    const s = stage();
    await s.init();
    s.repo.root['custom-field'] = { 'naïve': [1, true, null, 'quote " and \\ and \u2028 and \u007f'] };
    s.repo.root.roles.root['another-field'] = 'value';
    s.repo.addKey('root', newKey('ed25519', { 'extra-field': { a: 1, b: 2 }, keyid_hash_algorithms: ['md5'] }));
    s.repo.publish('root');
    s.accepted(await s.refresh());
    s.repo.publish('root');
    s.repo.bend('root', (file) => { file.signed['custom-field'] = {}; });
    s.refused(await s.refresh(), 'unsigned');
  },
};
