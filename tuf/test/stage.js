// A stage for one attack: a repository, a loopback server that notes every request and can be bent, the client under
// test in its own directories, and tuf-js as a second judge of the same repository.
'use strict';
const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { Repository } = require('./repository');
const { Updater } = require('./modules')('tuf-js');

const client = process.env.TUF_CLIENT;

class Stage {
  static #server;
  static #port;
  static #stages = new Map();
  static async open() {
    Stage.#server = http.createServer((request, response) => {
      const [, id, ...rest] = request.url.split('/');
      const stage = Stage.#stages.get(id);
      if (!stage) return response.writeHead(404).end();
      return stage.answer(rest.join('/'), request, response);
    });
    Stage.#server.keepAliveTimeout = 120_000;  // a judge on a busy machine may ask again after the usual five seconds
    await new Promise((done) => Stage.#server.listen(0, '127.0.0.1', done));
    Stage.#port = Stage.#server.address().port;
  }
  static close() {
    Stage.#server.close();
    Stage.#server.closeAllConnections();
  }

  constructor(options = {}) {
    this.repo = new Repository(options);
    this.judge = options.judge !== false;  // does tuf-js have to agree?
    this.id = `s${Stage.#stages.size + 1}`;
    Stage.#stages.set(this.id, this);
    this.home = fs.mkdtempSync(path.join(os.tmpdir(), 'tuf-attack-'));
    for (const name of ['metadata', 'targets', 'judge-metadata', 'judge-targets']) fs.mkdirSync(path.join(this.home, name));
    this.requests = [];       // metadata: 'N.role' or 'role'; artifacts: 'targets/PATH'
    this.overrides = [];      // [pattern, (request, response) => void]
    this.judging = false;
  }
  close() {
    fs.rmSync(this.home, { recursive: true, force: true });
  }

  url(what) { return `http://127.0.0.1:${Stage.#port}/${this.id}/${what}`; }
  dir(what) { return path.join(this.home, what); }
  on(pattern, handler) { this.overrides.push([pattern, handler]); }

  answer(where, request, response) {
    if (!this.judging) this.requests.push(where.replace(/^metadata\//, '').replace(/\.json$/, ''));
    for (const [pattern, handler] of this.overrides) if (pattern.test(where)) return handler(request, response, where);
    const data = where.startsWith('metadata/') ? this.#metadata(where.slice(9)) : this.repo.artifacts.get(decodeURIComponent(where.slice(8)));
    if (data === undefined) return response.writeHead(404).end('no such file');
    return response.writeHead(200, { 'content-length': data.length }).end(data);
  }
  #metadata(name) {
    if (!name.endsWith('.json')) return undefined;
    const stem = decodeURIComponent(name.slice(0, -5));
    const versioned = /^(\d+)\.(.*)$/s.exec(stem);
    const { root } = this.repo;
    if (versioned && (versioned[2] === 'root' || (root.consistent_snapshot && versioned[2] !== 'timestamp')))
      return this.repo.metadata(versioned[2], Number(versioned[1]));
    if (stem === 'root' || (root.consistent_snapshot && stem !== 'timestamp')) return undefined;
    return this.repo.metadata(stem);
  }

  run(args, { at } = {}) {
    const command = at === undefined ? [client, ...args] : ['faketime', '-f', `@${new Date(at * 1000).toISOString().slice(0, 19).replace('T', ' ')}`, client, ...args];
    return new Promise((done) => {
      execFile(command[0], command.slice(1), { env: { ...process.env, TZ: 'UTC' } }, (error, out, err) => {
        this.said = err;
        done(error ? (error.code ?? error.signal) : 0);
      });
    });
  }

  async init(root = this.repo.metadata('root', 1)) {
    const file = this.dir('initial_root.json');
    fs.writeFileSync(file, root);
    fs.writeFileSync(path.join(this.dir('judge-metadata'), 'root.json'), root);
    const before = this.requests.length;
    const status = await this.run(['--metadata-dir', this.dir('metadata'), 'init', file]);
    assert.equal(this.requests.length, before, 'init makes no request');
    return status;
  }
  async refresh(options = {}) {
    const status = await this.run(['--metadata-dir', this.dir('metadata'), '--metadata-url', this.url('metadata'), 'refresh'], options);
    await this.#ask(status, [], options);
    return status;
  }
  async download(names, options = {}) {
    const list = [names].flat();
    const status = await this.run(['--metadata-dir', this.dir('metadata'), '--metadata-url', this.url('metadata/'),
      ...list.flatMap((name) => ['--target-name', name]), '--target-base-url', this.url('targets'), '--target-dir', this.dir('targets'), 'download'], options);
    await this.#ask(status, list, options);
    return status;
  }

  // The second judge sees the same repository from its own directory.
  async #ask(status, names, { at, judge = this.judge }) {
    if (!judge || at !== undefined) return;
    this.judging = true;
    let verdict = 0;
    let why = '';
    try {
      const updater = new Updater({ metadataDir: this.dir('judge-metadata'), metadataBaseUrl: this.url('metadata'), targetDir: this.dir('judge-targets'),
        targetBaseUrl: this.url('targets'), config: { fetchRetries: 0, fetchRetry: 0, fetchTimeout: 30_000 } });
      await updater.refresh();
      for (const name of names) {
        const target = await updater.getTargetInfo(name);
        if (!target) throw new Error(`no target ${name}`);
        const file = path.join(this.dir('judge-targets'), encodeURIComponent(name));
        if (!(await updater.findCachedTarget(target, file))) await updater.downloadTarget(target, file);
      }
    } catch (error) {
      verdict = 1;
      why = error.message;
    }
    this.judging = false;
    assert.equal(status, verdict, `tuf-js judges otherwise (${verdict ? why : 'accepts'}); the client said: ${this.said}`);
  }

  // What the client trusts now: { role: version }, by its file names.
  trusted() {
    const out = {};
    for (const name of fs.readdirSync(this.dir('metadata')).sort())
      if (name.endsWith('.json')) out[name.slice(0, -5)] = JSON.parse(fs.readFileSync(path.join(this.dir('metadata'), name))).signed.version;
    return out;
  }
  kept(role) {
    const file = path.join(this.dir('metadata'), `${role}.json`);
    return fs.existsSync(file) ? fs.readFileSync(file) : undefined;
  }
  downloaded() {
    return Object.fromEntries(fs.readdirSync(this.dir('targets')).sort().map((name) => [decodeURIComponent(name), fs.readFileSync(path.join(this.dir('targets'), name), 'utf8')]));
  }
  // The client's exit status and the kind that it named.
  refused(status, kind) {
    assert.equal(status, 1, `expected a refusal; the client said: ${this.said}`);
    assert.match(this.said, new RegExp(`^tuf-client: ${kind}: `), 'the kind of refusal');
  }
  accepted(status) { assert.equal(status, 0, this.said); }
}

module.exports = { Stage };
