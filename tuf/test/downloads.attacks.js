// Why: what reaches the disk as an artifact must be, byte for byte, what was signed for, and under a name of our choosing.
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');

const holding = async (stage, path, content, algorithms, options) => {
  const s = stage(options);
  s.repo.addArtifact('targets', path, content, algorithms);
  s.repo.publish('targets', 'snapshot', 'timestamp');
  await s.init();
  return s;
};
const leftovers = (s) => fs.readdirSync(s.dir('targets')).filter((name) => name.startsWith('.'));

module.exports = {
  async 'refresh fetches no artifact, download fetches it once'(stage) {
    const s = await holding(stage, 'file.txt', 'content');
    s.accepted(await s.refresh());
    assert.deepEqual(s.downloaded(), {});
    s.accepted(await s.download('file.txt'));
    s.accepted(await s.download('file.txt'));
    assert.deepEqual(s.downloaded(), { 'file.txt': 'content' });
    assert.equal(s.requests.filter((what) => what.startsWith('targets/')).length, 1);
  },
  async 'a download refreshes first'(stage) {
    const s = stage();
    await s.init();
    s.refused(await s.download('nothing'), 'unknown-target');
    assert.deepEqual(s.requests, ['2.root', 'timestamp', '1.snapshot', '1.targets']);
    assert.deepEqual(s.trusted(), { root: 1, snapshot: 1, targets: 1, timestamp: 1 });
  },
  async 'an empty artifact'(stage) {
    const s = await holding(stage, 'empty', '');
    s.accepted(await s.download('empty'));
    assert.deepEqual(s.downloaded(), { empty: '' });
  },
  ...Object.fromEntries([['sha256'], ['sha512'], ['sha384'], ['sha256', 'sha512']].map((algorithms) => [`hashes ${algorithms.join(' and ')}`, async (stage) => {
    const s = await holding(stage, 'file', 'content', algorithms);
    s.accepted(await s.download('file'));
    assert.deepEqual(s.downloaded(), { file: 'content' });
  }])),
  async 'a hash of an unknown kind alone is no hash'(stage) {
    const s = await holding(stage, 'file', 'content', ['sha256']);
    const { hashes } = s.repo.targets.targets.file;
    hashes['unknown-hash'] = hashes.sha256;
    delete hashes.sha256;
    s.repo.publish('targets', 'snapshot', 'timestamp');
    s.refused(await s.download('file'), 'mismatch');
    assert.deepEqual(s.downloaded(), {});
  },
  async 'one of two hashes wrong'(stage) {
    const s = await holding(stage, 'file', 'content', ['sha256', 'sha512']);
    s.repo.targets.targets.file.hashes.sha512 = '00'.repeat(64);
    s.repo.publish('targets', 'snapshot', 'timestamp');
    s.refused(await s.download('file'), 'mismatch');
    assert.deepEqual(s.downloaded(), {});
  },
  async 'arbitrary installation: other content of the same length'(stage) {
    const s = await holding(stage, 'file', 'content');
    s.repo.addArtifact('targets', 'other', 'other one');
    s.repo.publish('targets', 'snapshot', 'timestamp');
    s.accepted(await s.download('file'));
    for (const path of s.repo.artifacts.keys()) s.repo.artifacts.set(path, Buffer.from(path.endsWith('other') ? 'another 1' : 'CONTENT'));
    s.accepted(await s.download('file'));
    s.refused(await s.download('other'), 'mismatch');
    assert.deepEqual(s.downloaded(), { file: 'content' });
    assert.deepEqual(leftovers(s), []);
  },
  async 'a changed artifact takes the old one\'s place'(stage) {
    const s = await holding(stage, 'file', 'content');
    s.accepted(await s.download('file'));
    s.repo.addArtifact('targets', 'file', 'newer content');
    s.repo.publish('targets', 'snapshot', 'timestamp');
    s.accepted(await s.download('file'));
    assert.deepEqual(s.downloaded(), { file: 'newer content' });
  },
  async 'our own copy was tampered with'(stage) {
    const s = await holding(stage, 'file', 'content');
    s.accepted(await s.download('file'));
    fs.writeFileSync(`${s.dir('targets')}/file`, 'CONTENT');
    s.accepted(await s.download('file'));
    assert.deepEqual(s.downloaded(), { file: 'content' });
  },
  async 'our own copy is a link to a file elsewhere'(stage) {
    const s = await holding(stage, 'file', 'content');
    fs.writeFileSync(`${s.home}/elsewhere`, 'content');
    fs.symlinkSync(`${s.home}/elsewhere`, `${s.dir('targets')}/file`);
    s.accepted(await s.download('file'));
    assert.ok(fs.lstatSync(`${s.dir('targets')}/file`).isFile());
  },
  async 'several names in order, the first refusal ends it'(stage) {
    const s = await holding(stage, 'a', '1');
    s.repo.addArtifact('targets', 'b', '2');
    s.repo.addArtifact('targets', 'c', '3');
    s.repo.publish('targets', 'snapshot', 'timestamp');
    for (const path of s.repo.artifacts.keys()) if (path.endsWith('b')) s.repo.artifacts.set(path, Buffer.from('x'));
    s.refused(await s.download(['a', 'b', 'c']), 'mismatch');
    assert.deepEqual(s.downloaded(), { a: '1' });
  },
  ...Object.fromEntries(['path/to/a/file', 'a b', 'q?x=1', 'f#g', '../escape', '/etc/absolute', '%2e%2e', 'é', '..', '-n', '.hidden', 'download'].map((path) => [`target name ${path}`, async (stage) => {
    const s = await holding(stage, path, 'content', ['sha256'], { judge: false });
    s.accepted(await s.download(path));
    assert.deepEqual(s.downloaded(), { [path]: 'content' });
    assert.deepEqual(fs.readdirSync(s.home).sort(), ['initial_root.json', 'judge-metadata', 'judge-targets', 'metadata', 'targets']);
  }])),
  async 'a name too long for a file is refused, not cut'(stage) {
    const s = await holding(stage, 'x'.repeat(300), 'content', ['sha256'], { judge: false });
    s.refused(await s.download('x'.repeat(300)), 'storage');
    assert.deepEqual(fs.readdirSync(s.dir('targets')), []);
  },
  async 'a length beyond any disk is refused before a byte is asked for'(stage) {
    const s = await holding(stage, 'file', 'content');
    s.repo.targets.targets.file.length = Number.MAX_SAFE_INTEGER;
    s.repo.publish('targets', 'snapshot', 'timestamp');
    s.refused(await s.download('file'), 'too-long');
    assert.ok(!s.requests.some((what) => what.startsWith('targets/')));
  },
};
