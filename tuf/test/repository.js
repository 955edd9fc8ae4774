// A repository that signs independently of the library under test: canonical form from @tufjs/canonical-json,
// signatures from node's crypto. Every part can be bent between publish() and the client's request.
'use strict';
const crypto = require('node:crypto');
const { canonicalize } = require('./modules')('@tufjs/canonical-json');

const sha = (algorithm, data) => crypto.createHash(algorithm).update(data).digest('hex');
const date = (seconds) => new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
const now = () => Math.floor(Date.now() / 1000);
const days = (n) => date(now() + n * 86400);

const pem = (key) => key.export({ format: 'pem', type: 'spki' });
const hexPoint = (key) => key.export({ format: 'der', type: 'spki' }).subarray(-65).toString('hex');
const makers = {
  ed25519: () => {
    const { privateKey, publicKey } = crypto.generateKeyPairSync('ed25519');
    const value = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
    return { keytype: 'ed25519', scheme: 'ed25519', value, sign: (data) => crypto.sign(null, data, privateKey) };
  },
  ecdsa: (keytype = 'ecdsa', form = pem) => {
    const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return { keytype, scheme: 'ecdsa-sha2-nistp256', value: form(publicKey), sign: (data) => crypto.sign('sha256', data, privateKey) };
  },
  'ecdsa-p384': () => {
    const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-384' });
    return { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp384', value: pem(publicKey), sign: (data) => crypto.sign('sha384', data, privateKey) };
  },
  'ecdsa-old-name': () => makers.ecdsa('ecdsa-sha2-nistp256'),
  'ecdsa-hex': () => makers.ecdsa('ecdsa', hexPoint),
  rsa: (bits = 2048, scheme = 'rsassa-pss-sha256', saltLength = 32) => {
    const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: bits });
    const padding = scheme === 'rsassa-pss-sha256' ? crypto.constants.RSA_PKCS1_PSS_PADDING : crypto.constants.RSA_PKCS1_PADDING;
    return { keytype: 'rsa', scheme, value: pem(publicKey), sign: (data) => crypto.sign('sha256', data, { key: privateKey, padding, saltLength }) };
  },
  'rsa-max-salt': () => makers.rsa(2048, 'rsassa-pss-sha256', crypto.constants.RSA_PSS_SALTLEN_MAX_SIGN),
  'rsa-pkcs1': () => makers.rsa(2048, 'rsa-pkcs1v15-sha256'),
  'rsa-1024': () => makers.rsa(1024),
};

// A key pair; `extra` are further members of the public key object, which its id covers.
function newKey(kind = 'ed25519', extra = {}) {
  const { keytype, scheme, value, sign } = makers[kind]();
  const object = { keytype, scheme, keyval: { public: value }, ...extra };
  return { id: sha('sha256', canonicalize(object)), object, sign: (text) => sign(Buffer.from(text)).toString('hex') };
}

class Repository {
  constructor({ consistent = true, hashes = false } = {}) {
    this.hashes = hashes;        // do snapshot and timestamp carry length and hashes?
    this.signers = {};           // role → keys that sign it
    this.versions = {};          // role → bytes of every published version, [0] is version 1
    this.artifacts = new Map();  // path under targets/ → bytes
    const common = (type) => ({ _type: type, spec_version: '1.0.31', version: 0, expires: days(30) });
    this.root = { ...common('root'), consistent_snapshot: consistent, keys: {}, roles: {} };
    this.timestamp = { ...common('timestamp'), meta: {} };
    this.snapshot = { ...common('snapshot'), meta: {} };
    this.targets = { ...common('targets'), targets: {} };
    this.roles = { root: this.root, timestamp: this.timestamp, snapshot: this.snapshot, targets: this.targets };
    for (const role of Object.keys(this.roles)) {
      this.root.roles[role] = { keyids: [], threshold: 1 };
      this.addKey(role);
    }
    this.publish('targets', 'snapshot', 'timestamp', 'root');
  }

  // Gives a top-level role one more key that it may and does sign with.
  addKey(role, key = newKey()) {
    this.root.keys[key.id] = key.object;
    this.root.roles[role].keyids.push(key.id);
    (this.signers[role] ??= []).push(key);
    return key;
  }
  rotateKeys(role, ...keys) {
    this.root.roles[role].keyids = [];
    this.signers[role] = [];
    for (const key of keys.length ? keys : [newKey()]) this.addKey(role, key);
  }

  // `delegator` trusts `name` with a new key; the role's own content is made when it is new.
  delegate(delegator, name, { paths = ['*'], terminating = false, threshold = 1, hashPrefixes, keys = [newKey()], sign = true } = {}) {
    const from = this.roles[delegator];
    from.delegations ??= { keys: {}, roles: [] };
    for (const key of keys) from.delegations.keys[key.id] = key.object;
    const role = { name, keyids: keys.map((key) => key.id), threshold, terminating };
    if (hashPrefixes) role.path_hash_prefixes = hashPrefixes;
    else role.paths = paths;
    from.delegations.roles.push(role);
    this.roles[name] ??= { _type: 'targets', spec_version: '1.0.31', version: 0, expires: days(30), targets: {} };
    if (sign) (this.signers[name] ??= []).push(...keys);
    return role;
  }

  addArtifact(role, path, content, algorithms = ['sha256'], custom) {
    const data = Buffer.from(content);
    const hashes = Object.fromEntries(algorithms.map((algorithm) => [algorithm, sha(algorithm, data)]));
    this.roles[role].targets[path] = { length: data.length, hashes, ...(custom ? { custom } : {}) };
    const slash = path.lastIndexOf('/') + 1;
    for (const hash of Object.values(hashes)) this.artifacts.set(`${path.slice(0, slash)}${hash}.${path.slice(slash)}`, data);
    this.artifacts.set(path, data);
  }

  // Signs `signed` with `keys` and returns the file's bytes.
  sign(signed, keys) {
    const text = canonicalize(signed);
    return Buffer.from(JSON.stringify({ signatures: keys.map((key) => ({ keyid: key.id, sig: key.sign(text) })), signed }, null, 1));
  }

  // New versions of the roles, in the order given; snapshot and timestamp learn of what was published before them.
  publish(...roles) {
    for (const role of roles) {
      this.roles[role].version += 1;
      this.put(role);
    }
  }
  // The role as it stands, as its next file; the version inside is whatever it is.
  put(role) {
    const bytes = this.sign(this.roles[role], this.signers[role]);
    (this.versions[role] ??= []).push(bytes);
    this.describe(role, bytes);
  }
  describe(role, bytes) {
    const meta = { version: this.roles[role].version };
    if (this.hashes) Object.assign(meta, { length: bytes.length, hashes: { sha256: sha('sha256', bytes) } });
    if (role === 'snapshot') this.timestamp.meta['snapshot.json'] = meta;
    else if (role !== 'root' && role !== 'timestamp') this.snapshot.meta[`${role}.json`] = meta;
  }
  // Rewrites the last published file of a role as plain JSON, without signing again.
  bend(role, change) {
    const files = this.versions[role];
    const file = JSON.parse(files.at(-1));
    change(file);
    files[files.length - 1] = Buffer.from(JSON.stringify(file));
  }

  metadata(role, version) {
    const files = this.versions[role] ?? [];
    return version === undefined ? files.at(-1) : files[version - 1];
  }
}

module.exports = { Repository, newKey, sha, date, days, now, canonicalize };
