// Why: a delegated role is trusted by one delegator, for some paths, in an order; every way of being believed beyond that.
'use strict';
const assert = require('node:assert/strict');
const { newKey, sha, days, now } = require('./repository');

const graphs = {  // [delegator, role, options]..., visited in this order
  'one': [[['targets', 'A']], 'A'],
  'two side by side': [[['targets', 'A'], ['targets', 'B']], 'A B'],
  'two levels': [[['targets', 'A'], ['targets', 'B'], ['B', 'C']], 'A B C'],
  'depth first': [[['targets', 'A'], ['targets', 'B'], ['A', 'C'], ['A', 'D']], 'A C D B'],
  'depth first, three levels': [[['targets', 'A'], ['targets', 'B'], ['A', 'C'], ['C', 'D']], 'A C D B'],
  'terminating ends all but the descendants': [[['targets', 'A'], ['targets', 'B'], ['A', 'C', { terminating: true }], ['A', 'D']], 'A C'],
  'terminating, with descendants': [[['targets', 'A'], ['targets', 'B'], ['A', 'C', { terminating: true }], ['C', 'D']], 'A C D'],
  'paths that do not match': [[['targets', 'A', { paths: ['*.py'] }], ['targets', 'B'], ['A', 'C']], 'B'],
  'paths that do not match further down': [[['targets', 'A'], ['targets', 'B'], ['A', 'C', { paths: ['*.py'] }], ['C', 'D']], 'A B'],
  'terminating that does not match ends nothing': [[['targets', 'A', { paths: ['*.py'], terminating: true }], ['targets', 'B']], 'B'],
  'cycle': [[['targets', 'A'], ['targets', 'B'], ['B', 'C'], ['C', 'D'], ['D', 'B']], 'A B C D'],
  'self': [[['targets', 'A'], ['A', 'A']], 'A'],
  'diamond': [[['targets', 'A'], ['targets', 'B'], ['B', 'C'], ['A', 'C']], 'A C B'],
  'diamond by other paths': [[['targets', 'A'], ['targets', 'B'], ['B', 'C'], ['A', 'C', { paths: ['*.py'] }]], 'A B C'],
};
const patterns = {  // pattern → path → does it match?
  '*': { a: 1, 'a/b': 0 }, '*.md': { 'README.md': 1, 'README.MD': 0 }, '*.tgz': { 'foo.tgz': 1, 'foo.txt': 0, 'd/foo.tgz': 0 }, 'foo-version-?.tgz': { 'foo-version-2.tgz': 1, 'foo-version-alpha.tgz': 0 },
  'targets/*.tgz': { 'targets/foo.tgz': 1, 'targets/d/foo.tgz': 0 }, '*/*': { 'a/b': 1, 'a': 0, 'a/b/c': 0 }, 'a[bc]d': { abd: 1, acd: 1, aed: 0, 'a/d': 0 },
  'a[!b]d': { abd: 0, acd: 1, 'a/d': 0 }, 'a[b-d]': { ac: 1, ae: 0 }, '?': { a: 1, '/': 0, '': 0 }, '*a*b*c': { xaxbxc: 1, xaxcxb: 0 },
};

const withRoles = (stage, delegations, options) => {
  const s = stage(options);
  for (const [from, to, more] of delegations) s.repo.delegate(from, to, more);
  const names = [...new Set(delegations.map(([, to]) => to))];
  for (const name of names) s.repo.publish(name);
  s.repo.publish('targets', 'snapshot', 'timestamp');
  return s;
};

module.exports = {
  ...Object.fromEntries(Object.entries(graphs).map(([name, [delegations, order]]) => [`order: ${name}`, async (stage) => {
    const s = withRoles(stage, delegations);
    await s.init();
    s.refused(await s.download('missingpath'), 'unknown-target');
    assert.deepEqual(s.requests.slice(4), order.split(' ').map((role) => `1.${role}`));
  }])),
  ...Object.fromEntries(Object.entries(patterns).flatMap(([pattern, paths]) => Object.entries(paths).filter(([path]) => path).map(([path, matches]) => [`pattern ${pattern} on ${path}`, async (stage) => {
    const s = withRoles(stage, [['targets', 'A', { paths: [pattern] }]], { judge: !pattern.includes('[') });
    await s.init();
    s.refused(await s.download(path), 'unknown-target');
    assert.equal(s.requests.includes('1.A'), matches === 1);
  }]))),

  async 'a target is found in the role that may sign for it'(stage) {
    const s = withRoles(stage, [['targets', 'A', { paths: ['*.doc', '*.md'] }], ['targets', 'B', { paths: ['releases/*/*'] }],
      ['B', 'C', { paths: ['releases/x/*'] }], ['B', 'D', { paths: ['releases/y/*.zip'] }]]);
    s.repo.addArtifact('A', 'README.md', 'by A');
    s.repo.addArtifact('C', 'releases/x/x_v1', 'by C');
    s.repo.addArtifact('D', 'releases/y/y_v1.zip', 'by D');
    s.repo.addArtifact('D', 'releases/z/z_v1.zip', 'by D, who may not');
    s.repo.publish('A', 'C', 'D', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.download(['README.md', 'releases/x/x_v1', 'releases/y/y_v1.zip']));
    s.refused(await s.download('releases/z/z_v1.zip'), 'unknown-target');
    assert.deepEqual(s.downloaded(), { 'README.md': 'by A', 'releases/x/x_v1': 'by C', 'releases/y/y_v1.zip': 'by D' });
  },
  async 'the first role in order wins'(stage) {
    const s = withRoles(stage, [['targets', 'A'], ['targets', 'B']]);
    s.repo.addArtifact('B', 'file', 'second');
    s.repo.addArtifact('A', 'file', 'first');
    s.repo.publish('A', 'B', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.download('file'));
    assert.deepEqual(s.downloaded(), { file: 'first' });
  },
  async 'path_hash_prefixes'(stage) {
    const hash = sha('sha256', 'file');
    const s = withRoles(stage, [['targets', 'A', { hashPrefixes: ['ffffffff'] }], ['targets', 'B', { hashPrefixes: [hash.slice(0, 3)] }]]);
    s.repo.addArtifact('B', 'file', 'in B');
    s.repo.publish('B', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.download('file'));
    assert.ok(!s.requests.includes('1.A'));
  },
  ...Object.fromEntries([1, 3, 8, 13, 32].map((bits) => [`succinct hash bins of ${bits} bits`, async (stage) => {
    const s = stage();
    const key = newKey();
    const path = 'some/file';
    const bin = Number(BigInt(`0x${sha('sha256', path).slice(0, 8)}`) >> BigInt(32 - bits));
    const name = `bin-${bin.toString(16).padStart(Math.ceil(bits / 4), '0')}`;
    s.repo.targets.delegations = { keys: { [key.id]: key.object }, succinct_roles: { keyids: [key.id], threshold: 1, bit_length: bits, name_prefix: 'bin' } };
    s.repo.roles[name] = { _type: 'targets', spec_version: '1.0.31', version: 0, expires: days(30), targets: {} };
    s.repo.signers[name] = [key];
    s.repo.addArtifact(name, path, 'binned');
    s.repo.publish(name, 'targets', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.download(path));
    assert.deepEqual(s.requests.slice(4, 5), [`1.${name}`]);
  }])),

  async 'a role verified through one delegator is not thereby trusted by another'(stage) {
    const s = stage({ judge: false });  // tuf-js remembers by the role's name alone
    const [mine, yours] = [newKey(), newKey()];
    s.repo.delegate('targets', 'A', { paths: ['a/*'] });
    s.repo.delegate('targets', 'B', { paths: ['b/*'] });
    s.repo.delegate('A', 'C', { paths: ['a/*'], keys: [mine] });
    s.repo.delegate('B', 'C', { paths: ['b/*'], keys: [yours], sign: false });
    s.repo.addArtifact('C', 'a/file', 'A lets C sign this');
    s.repo.addArtifact('C', 'b/file', 'B does not let this C sign');
    s.repo.publish('C', 'A', 'B', 'targets', 'snapshot', 'timestamp');
    await s.init();
    s.refused(await s.download(['a/file', 'b/file']), 'unsigned');
    assert.deepEqual(s.downloaded(), { 'a/file': 'A lets C sign this' });
    s.refused(await s.download('b/file'), 'unsigned');
    s.accepted(await s.download('a/file'));
    s.repo.signers.C.push(yours);
    s.repo.publish('C', 'snapshot', 'timestamp');
    s.accepted(await s.download(['a/file', 'b/file']));
  },
  async 'a delegation withdrawn is a role forgotten'(stage) {
    const s = withRoles(stage, [['targets', 'A']]);
    s.repo.addArtifact('A', 'file', 'content');
    s.repo.publish('A', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.download('file'));
    s.repo.targets.delegations.roles = [];
    s.repo.publish('targets', 'snapshot', 'timestamp');
    s.refused(await s.download('file'), 'unknown-target');
  },
  async 'a delegated key changed: the kept file is not believed any more'(stage) {
    const s = withRoles(stage, [['targets', 'A']]);
    s.repo.addArtifact('A', 'file', 'content');
    s.repo.publish('A', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.download('file'));
    const key = newKey();
    s.repo.targets.delegations.keys[key.id] = key.object;
    s.repo.targets.delegations.roles[0].keyids = [key.id];
    s.repo.publish('targets', 'snapshot', 'timestamp');
    s.refused(await s.download('file'), 'unsigned');
  },
  async 'threshold of a delegated role'(stage) {
    const [one, two] = [newKey(), newKey()];
    const s = withRoles(stage, [['targets', 'A', { keys: [one, two], threshold: 2 }]]);
    s.repo.addArtifact('A', 'file', 'content');
    s.repo.signers.A = [one];
    s.repo.publish('A', 'snapshot', 'timestamp');
    await s.init();
    s.refused(await s.download('file'), 'unsigned');
    assert.equal(s.trusted().A, undefined);
    s.repo.signers.A = [two, one];
    s.repo.publish('A', 'snapshot', 'timestamp');
    s.accepted(await s.download('file'));
  },
  async 'freeze: an expired delegated role is not used'(stage) {
    const s = withRoles(stage, [['targets', 'A']]);
    s.repo.addArtifact('A', 'file', 'content');
    s.repo.roles.A.expires = days(-1);
    s.repo.publish('A', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.refresh());
    s.refused(await s.download('file'), 'expired');
    assert.equal(s.trusted().A, undefined);
    assert.deepEqual(s.downloaded(), {});
  },
  async 'freeze: a kept delegated role expires, and a newer one is taken'(stage) {
    const s = withRoles(stage, [['targets', 'A']]);
    s.repo.addArtifact('A', 'first', '1');
    s.repo.addArtifact('A', 'second', '2');
    s.repo.roles.A.expires = days(7);
    s.repo.publish('A', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.download('first'));
    s.refused(await s.download('second', { at: now() + 18 * 86400 }), 'expired');
    assert.deepEqual(s.downloaded(), { first: '1' });
    s.repo.roles.A.expires = days(21);
    s.repo.publish('A', 'snapshot', 'timestamp');
    s.accepted(await s.download('second', { at: now() + 18 * 86400 }));
  },
  async 'mix and match: a delegated role of another version'(stage) {
    const s = withRoles(stage, [['targets', 'A']]);
    s.repo.addArtifact('A', 'file', 'content');
    s.repo.publish('A', 'snapshot', 'timestamp');
    s.repo.versions.A[1] = s.repo.versions.A[0];
    await s.init();
    s.refused(await s.download('file'), 'mismatch');
  },
  async 'rollback: a delegated role'(stage) {
    const s = withRoles(stage, [['targets', 'A']]);
    s.repo.publish('A', 'snapshot', 'timestamp');
    await s.init();
    s.accepted(await s.refresh());
    s.repo.snapshot.meta['A.json'].version = 1;
    s.repo.publish('snapshot', 'timestamp');
    s.refused(await s.refresh(), 'rollback');
  },
  async 'a delegated role that the snapshot does not name'(stage) {
    const s = withRoles(stage, [['targets', 'A']]);
    await s.init();
    delete s.repo.snapshot.meta['A.json'];
    s.repo.publish('snapshot', 'timestamp');
    s.accepted(await s.refresh());
    s.requests.length = 0;
    s.refused(await s.download('file'), 'mismatch');
    assert.deepEqual(s.requests, ['2.root', 'timestamp']);  // it is not even asked for
    assert.equal(s.kept('A'), undefined);
  },
  async 'endless delegations'(stage) {
    const chain = Array.from({ length: 100 }, (_, i) => [i === 0 ? 'targets' : `r${i - 1}`, `r${i}`]);
    const s = withRoles(stage, chain);
    await s.init();
    s.refused(await s.download('file'), 'limit');
    assert.equal(s.requests.length, 4 + 64);
  },
  ...Object.fromEntries(['?', '#', '/delegatedrole', '../delegatedrole', '..', 'a%2Fb', 'sp ace', 'é', 'x\u0000y', '.tuf-writing-1'].map((name) => [`role name ${JSON.stringify(name)}`, async (stage) => {
    const s = withRoles(stage, [['targets', name]], { judge: false });
    await s.init();
    s.refused(await s.download('nothing'), 'unknown-target');
    assert.ok(s.requests.includes(`1.${encodeURIComponent(name)}`), s.requests.join(' '));
    assert.equal(Object.keys(s.trusted()).length, 5);
    assert.deepEqual(require('node:fs').readdirSync(s.home).sort(), ['initial_root.json', 'judge-metadata', 'judge-targets', 'metadata', 'targets']);
  }])),
  ...Object.fromEntries(['root', 'timestamp', 'snapshot', 'targets', ''].map((name) => [`a delegated role may not be called "${name}"`, async (stage) => {
    const s = stage({ judge: false });
    s.repo.targets.delegations = { keys: {}, roles: [{ name, keyids: [], threshold: 1, terminating: false, paths: ['*'] }] };
    s.repo.publish('targets', 'snapshot', 'timestamp');
    await s.init();
    s.refused(await s.refresh(), 'malformed');
  }])),
};
