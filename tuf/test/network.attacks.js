// Why: a mirror, or whoever stands on the wire, may answer anything, in any amount, at any pace. The client ends by
// itself, keeps what it trusted, and says what was wrong. Names with "slow" wait for the client's own time limits.
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');

const all = { root: 1, snapshot: 1, targets: 1, timestamp: 1 };
const started = async (stage) => {
  const s = stage({ judge: false });
  s.repo.addArtifact('targets', 'file', 'x'.repeat(5000));
  s.repo.publish('targets', 'snapshot', 'timestamp');
  await s.init();
  s.accepted(await s.refresh());
  return s;
};
const metadataKept = (s) => assert.deepEqual(s.trusted(), { ...all, snapshot: 2, targets: 2, timestamp: 2 });

function endless(request, response) {
  response.writeHead(200);
  const chunk = Buffer.alloc(65536, 'x');
  const more = () => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  response.on('error', () => {});
  more();
}
const drip = (milliseconds) => (request, response) => {
  response.writeHead(200);
  const timer = setInterval(() => response.write('x'), milliseconds);
  response.on('close', () => clearInterval(timer));
  response.on('error', () => {});
};
const within = async (seconds, work) => {
  const begun = Date.now();
  await work();
  assert.ok(Date.now() - begun < seconds * 1000, `took ${Date.now() - begun} ms`);
};

module.exports = {
  ...Object.fromEntries([[/2\.root/, 'root'], [/timestamp/, 'timestamp']].map(([where, name]) => [`endless data as ${name}`, async (stage) => {
    const s = await started(stage);
    s.on(where, endless);
    s.refused(await s.refresh(), 'too-long');
    metadataKept(s);
  }])),
  ...Object.fromEntries(['snapshot', 'targets'].map((role) => [`endless data as ${role}`, async (stage) => {
    const s = await started(stage);
    s.repo.publish('targets', 'snapshot', 'timestamp');
    s.on(new RegExp(`3\\.${role}`), endless);
    s.refused(await s.refresh(), 'too-long');
  }])),
  async 'endless data as an artifact'(stage) {
    const s = await started(stage);
    s.on(/^targets\//, endless);
    s.refused(await s.download('file'), 'too-long');
    assert.deepEqual(fs.readdirSync(s.dir('targets')), []);
  },
  async 'endless headers'(stage) {
    const s = await started(stage);
    s.on(/timestamp/, (request, response) => {
      const { socket } = response;
      socket.write('HTTP/1.1 200 OK\r\n');
      const more = () => {
        while (!socket.destroyed && socket.write(`X-${'y'.repeat(1000)}: z\r\n`));
        if (!socket.destroyed) socket.once('drain', more);
      };
      socket.on('error', () => {});
      more();
    });
    s.refused(await s.refresh(), 'unreachable');
    metadataKept(s);
  },
  async 'an announced length beyond the limit'(stage) {
    const s = await started(stage);
    s.on(/timestamp/, (request, response) => response.writeHead(200, { 'content-length': 10 ** 12 }).write('{'));
    await within(10, async () => s.refused(await s.refresh(), 'too-long'));
    metadataKept(s);
  },
  async 'slow: one byte every two seconds'(stage) {
    const s = await started(stage);
    s.on(/timestamp/, drip(2000));
    await within(40, async () => s.refused(await s.refresh(), 'too-slow'));
    metadataKept(s);
  },
  async 'slow: never an answer'(stage) {
    const s = await started(stage);
    s.on(/^targets\//, () => {});
    await within(40, async () => s.refused(await s.download('file'), 'too-slow'));
    assert.deepEqual(fs.readdirSync(s.dir('targets')), []);
  },
  async 'slow: headers drop by drop'(stage) {
    const s = await started(stage);
    s.on(/timestamp/, (request, response) => {
      const { socket } = response;
      socket.write('HTTP/1.1 200 OK\r\n');
      const timer = setInterval(() => socket.write('X-A: b\r\n'), 500);
      socket.on('close', () => clearInterval(timer));
      socket.on('error', () => {});
    });
    await within(40, async () => s.refused(await s.refresh(), 'too-slow'));
    metadataKept(s);
  },
  async 'truncation: less than announced'(stage) {
    const s = await started(stage);
    s.on(/^targets\//, (request, response) => {
      response.writeHead(200, { 'content-length': 5000 });
      response.write('x'.repeat(100), () => response.destroy());
    });
    s.refused(await s.download('file'), 'unreachable');
    assert.deepEqual(fs.readdirSync(s.dir('targets')), []);
  },
  async 'truncation: less than signed for'(stage) {
    const s = await started(stage);
    for (const path of s.repo.artifacts.keys()) s.repo.artifacts.set(path, Buffer.from('x'.repeat(4999)));
    s.refused(await s.download('file'), 'mismatch');
    assert.deepEqual(s.downloaded(), {});
  },
  async 'one byte more than signed for'(stage) {
    const s = await started(stage);
    for (const path of s.repo.artifacts.keys()) s.repo.artifacts.set(path, Buffer.from('x'.repeat(5001)));
    s.refused(await s.download('file'), 'too-long');
    assert.deepEqual(s.downloaded(), {});
  },
  async 'truncated metadata'(stage) {
    const s = await started(stage);
    s.on(/timestamp/, (request, response) => response.end(s.repo.metadata('timestamp').subarray(0, 200)));
    s.refused(await s.refresh(), 'malformed');
    metadataKept(s);
  },
  async 'no answer but a closed connection'(stage) {
    const s = await started(stage);
    s.on(/timestamp/, (request) => request.socket.destroy());
    s.refused(await s.refresh(), 'unreachable');
    metadataKept(s);
  },
  ...Object.fromEntries([500, 503, 401, 204, 206, 304].map((status) => [`status ${status} for root is not "there is no newer root"`, async (stage) => {
    const s = await started(stage);
    s.on(/2\.root/, (request, response) => response.writeHead(status).end());
    s.refused(await s.refresh(), 'unreachable');
    metadataKept(s);
  }])),
  async 'status 403 for root ends the search for roots, as on object stores'(stage) {
    const s = await started(stage);
    s.on(/2\.root/, (request, response) => response.writeHead(403).end());
    s.accepted(await s.refresh());
  },
  async 'a few redirects are followed'(stage) {
    const s = await started(stage);
    s.on(/^targets\/[^?]*$/, (request, response) => response.writeHead(302, { location: `${request.url}?once` }).end());
    s.on(/\?once$/, (request, response) => response.end('x'.repeat(5000)));
    s.accepted(await s.download('file'));
  },
  async 'redirects in a circle'(stage) {
    const s = await started(stage);
    s.on(/timestamp/, (request, response) => response.writeHead(302, { location: request.url }).end());
    s.refused(await s.refresh(), 'unreachable');
    assert.ok(s.requests.filter((what) => what.includes('timestamp')).length <= 5);
    metadataKept(s);
  },
  ...Object.fromEntries(['file:///etc/passwd', 'ftp://127.0.0.1/x', 'gopher://127.0.0.1:70/x', 'dict://127.0.0.1:1/x'].map((location) => [`redirect to ${location}`, async (stage) => {
    const s = await started(stage);
    s.on(/timestamp/, (request, response) => response.writeHead(302, { location }).end());
    s.refused(await s.refresh(), 'unreachable');
    metadataKept(s);
  }])),
  async 'redirect with an endless body'(stage) {
    const s = await started(stage);
    s.on(/timestamp/, (request, response) => {
      response.statusCode = 302;
      response.setHeader('location', '/nowhere');
      const { writeHead } = response;
      response.writeHead = () => writeHead.call(response, 302);
      endless(request, response);
    });
    await within(10, async () => s.refused(await s.refresh(), 'too-long'));
    metadataKept(s);
  },
  async 'an endless error page'(stage) {
    const s = await started(stage);
    s.on(/timestamp/, (request, response) => {
      const { writeHead } = response;
      response.writeHead = () => writeHead.call(response, 500);
      endless(request, response);
    });
    await within(10, async () => s.refused(await s.refresh(), 'too-long'));
    metadataKept(s);
  },
  async 'a compressed answer is not unpacked'(stage) {
    const s = await started(stage);
    s.on(/timestamp/, (request, response) => {
      assert.equal(request.headers['accept-encoding'], undefined);
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(require('node:zlib').gzipSync(s.repo.metadata('timestamp')));
    });
    s.refused(await s.refresh(), 'malformed');
  },
  async 'nobody listens'(stage) {
    const s = await started(stage);
    const status = await s.run(['--metadata-dir', s.dir('metadata'), '--metadata-url', 'http://127.0.0.1:1/', 'refresh']);
    s.refused(status, 'unreachable');
    metadataKept(s);
  },
  async 'a stick is a repository like any other'(stage) {
    const s = await started(stage);
    const stick = `${s.home}/stick with spaces`;
    fs.mkdirSync(`${stick}/metadata`, { recursive: true });
    fs.mkdirSync(`${stick}/targets`);
    s.repo.publish('root', 'targets', 'snapshot', 'timestamp');
    for (const [role, files] of Object.entries(s.repo.versions))
      files.forEach((bytes, i) => fs.writeFileSync(`${stick}/metadata/${role === 'timestamp' ? '' : `${i + 1}.`}${role}.json`, bytes));
    for (const [path, bytes] of s.repo.artifacts) fs.writeFileSync(`${stick}/targets/${path}`, bytes);
    const url = `file://${encodeURI(stick)}`;
    const args = ['--metadata-dir', s.dir('metadata'), '--metadata-url', `${url}/metadata`, '--target-name', 'file', '--target-base-url', `${url}/targets`, '--target-dir', s.dir('targets'), 'download'];
    s.requests.length = 0;
    s.accepted(await s.run(args));
    assert.deepEqual(s.requests, []);
    assert.equal(s.downloaded().file.length, 5000);
    fs.rmSync(`${stick}/metadata/timestamp.json`);
    s.refused(await s.run(args), 'not-found');
    fs.mkdirSync(`${stick}/metadata/timestamp.json`);
    s.refused(await s.run(args), 'unreachable');
  },
};
