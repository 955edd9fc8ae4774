// Why: the client workflow for root, timestamp, snapshot and targets (specification 5.3 to 5.6), and each attack of
// the specification's list that lives there: rollback, freeze, fast-forward, mix-and-match, key compromise.
'use strict';
const assert = require('node:assert/strict');
const { newKey, days, now } = require('./repository');

const all = { root: 1, snapshot: 1, targets: 1, timestamp: 1 };
const started = async (stage, options) => {
  const s = stage(options);
  s.accepted(await s.init());
  s.accepted(await s.refresh());
  return s;
};

module.exports = {
  async 'a first refresh asks for each role once'(stage) {
    const s = await started(stage);
    assert.deepEqual(s.requests, ['2.root', 'timestamp', '1.snapshot', '1.targets']);
    assert.deepEqual(s.trusted(), all);
    for (const role of Object.keys(all)) assert.deepEqual(s.kept(role), s.repo.metadata(role), `${role} is kept byte for byte`);
  },
  async 'nothing new: only root and timestamp are asked for'(stage) {
    const s = await started(stage);
    s.requests.length = 0;
    s.accepted(await s.refresh());
    assert.deepEqual(s.requests, ['2.root', 'timestamp']);
  },
  async 'without consistent snapshots names carry no version'(stage) {
    const s = stage({ consistent: false });
    s.repo.addArtifact('targets', 'dir/file', 'content');
    s.repo.publish('targets', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.download('dir/file'));
    assert.deepEqual(s.requests, ['2.root', 'timestamp', 'snapshot', 'targets', 'targets/dir/file']);
  },
  async 'serialisation is kept as it came'(stage) {
    const s = stage();
    s.repo.versions.timestamp[0] = Buffer.concat([s.repo.versions.timestamp[0], Buffer.from(' \n')]);
    await s.init();
    s.accepted(await s.refresh());
    assert.deepEqual(s.kept('timestamp'), s.repo.metadata('timestamp'));
  },
  async 'a root without a version is no anchor'(stage) {
    const s = stage();
    const root = JSON.parse(s.repo.metadata('root'));
    delete root.signed.version;
    await s.init(JSON.stringify(root));
    assert.equal(await s.refresh({ judge: false }), 1);
    assert.deepEqual(s.requests, []);
  },
  async 'a root with a foreign signature is no anchor'(stage) {
    const s = stage();
    const root = JSON.parse(s.repo.metadata('root'));
    root.signatures[0].sig = newKey().sign('something else');
    await s.init(JSON.stringify(root));
    assert.equal(await s.refresh({ judge: false }), 1);
    assert.deepEqual(s.requests, []);
  },
  async 'init does not put an older root over a newer one'(stage) {
    const s = await started(stage);
    s.repo.publish('root');
    s.accepted(await s.refresh());
    s.accepted(await s.run(['--metadata-dir', s.dir('metadata'), 'init', s.dir('initial_root.json')]));
    assert.equal(s.trusted().root, 2);
  },
  async 'an expired root is a fine anchor when a newer one follows'(stage) {
    const s = stage();
    s.repo.root.expires = days(-10);
    s.repo.publish('root');
    const old = s.repo.metadata('root', 2);
    s.repo.root.expires = days(10);
    s.repo.publish('root');
    s.accepted(await s.init(old));
    s.accepted(await s.refresh());
    assert.equal(s.trusted().root, 3);
  },

  ...Object.fromEntries([
    ['root', { root: 1 }], ['timestamp', { root: 2 }], ['snapshot', { root: 2, timestamp: 2 }], ['targets', { root: 2, snapshot: 2, timestamp: 2 }],
  ].map(([role, trusted]) => [`key compromise: ${role} signed by nobody that counts`, async (stage) => {
    const s = stage();
    s.repo.signers[role] = [newKey()];
    s.repo.publish('root', 'targets', 'snapshot', 'timestamp');
    await s.init();
    s.refused(await s.refresh(), 'unsigned');
    assert.deepEqual(s.trusted(), trusted);
  }])),
  ...Object.fromEntries([
    ['root', { root: 1 }], ['snapshot', { root: 2, timestamp: 2 }], ['targets', { root: 2, snapshot: 2, timestamp: 2 }],
  ].map(([role, trusted]) => [`mix and match: ${role} of another version under the name asked for`, async (stage) => {
    const s = stage();
    s.repo.roles[role].version += 1;
    s.repo.publish('root', 'targets', 'snapshot', 'timestamp');
    if (role === 'snapshot') s.repo.timestamp.meta['snapshot.json'].version = 2;
    if (role === 'targets') s.repo.snapshot.meta['targets.json'].version = 2;
    s.repo.versions.snapshot.pop();
    s.repo.versions.timestamp.pop();
    s.repo.put('snapshot');
    if (role === 'snapshot') s.repo.timestamp.meta['snapshot.json'].version = 2;
    s.repo.put('timestamp');
    await s.init();
    s.refused(await s.refresh(), 'mismatch');
    assert.deepEqual(s.trusted(), trusted);
  }])),

  async 'timestamp of the same version and other content: the old one stays'(stage) {
    const s = await started(stage);
    const kept = s.kept('timestamp');
    s.repo.timestamp.meta['snapshot.json'].version = 100;
    s.repo.versions.timestamp = [];
    s.repo.put('timestamp');
    s.requests.length = 0;
    s.accepted(await s.refresh());
    assert.deepEqual(s.requests, ['2.root', 'timestamp']);
    assert.deepEqual(s.kept('timestamp'), kept);
  },
  async 'rollback: timestamp'(stage) {
    const s = await started(stage);
    s.repo.publish('timestamp');
    s.accepted(await s.refresh());
    s.repo.timestamp.version = 1;
    s.repo.put('timestamp');
    s.refused(await s.refresh(), 'rollback');
    assert.equal(s.trusted().timestamp, 2);
    assert.equal(s.requests.at(-1), 'timestamp');
  },
  ...Object.fromEntries([false, true].map((hashes) => [`rollback: snapshot named by a newer timestamp${hashes ? ', with hashes' : ''}`, async (stage) => {
    const s = stage({ hashes });
    s.repo.publish('snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.refresh());
    s.repo.timestamp.meta['snapshot.json'].version = 1;
    s.repo.publish('timestamp');
    s.refused(await s.refresh(), 'rollback');
    assert.deepEqual(s.trusted(), { root: 1, snapshot: 2, targets: 1, timestamp: 2 });
    assert.equal(s.requests.at(-1), 'timestamp');
  }])),
  ...Object.fromEntries([false, true].map((hashes) => [`rollback: targets named by a newer snapshot${hashes ? ', with hashes' : ''}`, async (stage) => {
    const s = stage({ hashes });
    s.repo.publish('targets', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.refresh());
    s.repo.targets.version = 1;
    s.repo.describe('targets', s.repo.metadata('targets', 1));
    s.repo.publish('snapshot', 'timestamp');
    s.refused(await s.refresh(), 'rollback');
    assert.deepEqual(s.trusted(), { root: 1, snapshot: 2, targets: 2, timestamp: 3 });
  }])),
  async 'rollback: a role vanishes from the snapshot'(stage) {
    const s = stage();
    s.repo.delegate('targets', 'A');
    s.repo.publish('A', 'targets', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.refresh());
    delete s.repo.snapshot.meta['A.json'];
    s.repo.publish('snapshot', 'timestamp');
    s.refused(await s.refresh(), 'rollback');
    assert.equal(s.trusted().snapshot, 2);
  },
  async 'rollback is noticed by an expired snapshot as well'(stage) {
    const s = stage();
    s.repo.snapshot.expires = days(5);
    s.repo.publish('targets', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.refresh());
    s.repo.snapshot.expires = days(30);
    s.repo.snapshot.meta['targets.json'].version = 1;
    s.repo.publish('snapshot', 'timestamp');
    s.refused(await s.refresh({ at: now() + 7 * 86400 }), 'rollback');
  },
  async 'mix and match: snapshot that the timestamp does not name'(stage) {
    const s = stage();
    await s.init();
    s.repo.snapshot.version = 7;
    s.repo.versions.snapshot = [];
    s.repo.put('snapshot');
    s.repo.timestamp.meta['snapshot.json'] = { version: 1 };
    s.repo.publish('timestamp');
    s.refused(await s.refresh(), 'mismatch');
    assert.deepEqual(s.trusted(), { root: 1, timestamp: 2 });
  },
  async 'mix and match: targets with a wrong hash in the snapshot'(stage) {
    const s = stage({ hashes: true });
    s.repo.publish('targets', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.refresh());
    s.repo.publish('targets');
    s.repo.snapshot.meta['targets.json'].hashes.sha256 = '46'.repeat(32);
    s.repo.publish('snapshot', 'timestamp');
    s.refused(await s.refresh(), 'mismatch');
    assert.deepEqual(s.trusted(), { root: 1, snapshot: 3, targets: 2, timestamp: 3 });
  },
  async 'mix and match: a snapshot presented as a timestamp'(stage) {
    const s = stage();
    await s.init();
    const [key] = s.repo.signers.timestamp;
    s.repo.addKey('snapshot', key);
    s.repo.snapshot.meta = { 'snapshot.json': { version: 1 } };
    s.repo.publish('root', 'snapshot');
    s.repo.versions.timestamp.push(s.repo.versions.snapshot.pop());
    s.refused(await s.refresh(), 'mismatch');
    assert.deepEqual(s.trusted(), { root: 2 });
  },

  async 'fast-forward: timestamp recovers by new keys'(stage) {
    const s = stage();
    await s.init();
    s.repo.timestamp.version = 99998;
    s.repo.publish('timestamp');
    s.accepted(await s.refresh());
    assert.equal(s.trusted().timestamp, 99999);
    s.repo.rotateKeys('timestamp');
    s.repo.publish('root');
    s.repo.timestamp.version = 1;
    s.repo.put('timestamp');
    s.accepted(await s.refresh());
    assert.equal(s.trusted().timestamp, 1);
  },
  async 'fast-forward: snapshot recovers by new snapshot and timestamp keys'(stage) {
    const s = stage({ consistent: false });
    await s.init();
    s.repo.snapshot.version = 99998;
    s.repo.publish('snapshot', 'timestamp');
    s.accepted(await s.refresh());
    s.repo.rotateKeys('snapshot');
    s.repo.rotateKeys('timestamp');
    s.repo.publish('root');
    s.repo.snapshot.version = 0;
    s.repo.publish('snapshot', 'timestamp');
    s.accepted(await s.refresh());
    assert.equal(s.trusted().snapshot, 1);
  },
  async 'fast-forward: targets recover by new snapshot keys'(stage) {
    const s = stage({ consistent: false });
    await s.init();
    s.repo.targets.version = 99998;
    s.repo.publish('targets', 'snapshot', 'timestamp');
    s.accepted(await s.refresh());
    s.repo.rotateKeys('snapshot');
    s.repo.publish('root');
    s.repo.targets.version = 1;
    s.repo.publish('targets', 'snapshot', 'timestamp');
    s.accepted(await s.refresh());
    assert.equal(s.trusted().targets, 2);
  },

  async 'freeze: expired root is kept, nothing else moves'(stage) {
    const s = await started(stage);
    s.repo.root.expires = days(-1);
    s.repo.publish('root', 'targets', 'snapshot', 'timestamp');
    s.refused(await s.refresh(), 'expired');
    assert.deepEqual(s.trusted(), { ...all, root: 2 });
    assert.equal(s.requests.at(-1), '3.root');
  },
  async 'an expired root on the way does not matter'(stage) {
    const s = stage();
    await s.init();
    s.repo.root.expires = days(-1);
    s.repo.publish('root');
    s.repo.root.expires = days(1);
    s.repo.publish('root');
    s.accepted(await s.refresh());
    assert.equal(s.trusted().root, 3);
  },
  async 'freeze: expired timestamp'(stage) {
    const s = await started(stage);
    s.repo.timestamp.expires = days(-5);
    s.repo.publish('timestamp');
    s.refused(await s.refresh(), 'expired');
    assert.deepEqual(s.trusted(), all);
  },
  async 'freeze: expired snapshot'(stage) {
    const s = await started(stage);
    s.repo.snapshot.expires = days(-5);
    s.repo.publish('snapshot', 'timestamp');
    s.refused(await s.refresh(), 'expired');
    assert.deepEqual(s.trusted(), { ...all, timestamp: 2 });
  },
  async 'freeze: expired targets'(stage) {
    const s = await started(stage);
    s.repo.targets.expires = days(-5);
    s.repo.publish('targets', 'snapshot', 'timestamp');
    s.refused(await s.refresh(), 'expired');
    assert.deepEqual(s.trusted(), { ...all, snapshot: 2, timestamp: 2 });
  },
  async 'freeze: the same valid answers, weeks later'(stage) {
    const s = await started(stage);
    s.refused(await s.refresh({ at: now() + 31 * 86400 }), 'expired');
    assert.deepEqual(s.trusted(), all);
  },
  async 'freeze: root expires while everything else is current'(stage) {
    const s = stage();
    await s.init();
    s.repo.root.expires = days(7);
    s.repo.publish('root');
    s.accepted(await s.refresh());
    s.refused(await s.refresh({ at: now() + 8 * 86400 }), 'expired');
  },
  async 'expired local metadata is updated from'(stage) {
    const s = stage();
    await s.init();
    s.repo.root.expires = days(7);
    s.repo.timestamp.expires = days(7);
    s.repo.snapshot.expires = days(7);
    s.repo.publish('root', 'snapshot', 'timestamp');
    s.accepted(await s.refresh());
    for (const role of ['root', 'timestamp', 'snapshot']) s.repo[role].expires = days(21);
    s.repo.publish('root', 'targets', 'snapshot', 'timestamp');
    s.accepted(await s.refresh({ at: now() + 18 * 86400 }));
    assert.deepEqual(s.trusted(), { root: 3, snapshot: 3, targets: 2, timestamp: 3 });
  },
  async 'clock set back: still accepted, still no rollback'(stage) {
    const s = await started(stage);
    s.repo.publish('timestamp');
    s.accepted(await s.refresh());
    s.repo.timestamp.version = 1;
    s.repo.put('timestamp');
    s.refused(await s.refresh({ at: now() - 400 * 86400 }), 'rollback');
  },

  async 'missing timestamp'(stage) {
    const s = await started(stage);
    s.repo.versions.timestamp = [];
    s.refused(await s.refresh(), 'not-found');
    assert.deepEqual(s.trusted(), all);
  },
  async 'missing snapshot: the timestamp moves on'(stage) {
    const s = await started(stage);
    s.repo.timestamp.meta['snapshot.json'].version = 2;
    s.repo.publish('timestamp');
    s.refused(await s.refresh(), 'not-found');
    assert.equal(s.requests.at(-1), '2.snapshot');
    assert.deepEqual(s.trusted(), { ...all, timestamp: 2 });
  },
  async 'missing targets: timestamp and snapshot move on'(stage) {
    const s = await started(stage);
    s.repo.snapshot.meta['targets.json'].version = 2;
    s.repo.publish('snapshot', 'timestamp');
    s.refused(await s.refresh(), 'not-found');
    assert.equal(s.requests.at(-1), '2.targets');
    assert.deepEqual(s.trusted(), { ...all, snapshot: 2, timestamp: 2 });
  },
  async 'damaged files of our own are fetched again'(stage) {
    const s = await started(stage);
    const fs = require('node:fs');
    for (const role of ['timestamp', 'snapshot', 'targets']) fs.writeFileSync(`${s.dir('metadata')}/${role}.json`, s.kept(role).subarray(0, 100));
    s.accepted(await s.refresh());
    assert.deepEqual(s.trusted(), all);
  },
  async 'a damaged root of our own ends it'(stage) {
    const s = await started(stage);
    require('node:fs').writeFileSync(`${s.dir('metadata')}/root.json`, '{');
    s.requests.length = 0;
    s.refused(await s.refresh({ judge: false }), 'malformed');
    assert.deepEqual(s.requests, []);
  },
  async 'more roots than one refresh follows are followed in the next'(stage) {
    const s = stage();
    await s.init();
    for (let i = 0; i < 300; ++i) s.repo.publish('root');
    s.accepted(await s.refresh({ judge: false }));
    assert.equal(s.trusted().root, 257);
    s.accepted(await s.refresh({ judge: false }));
    assert.equal(s.trusted().root, 301);
  },
};
