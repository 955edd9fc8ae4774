// The npm packages that sign and judge independently, installed where the build puts them (TUF_NODE_MODULES).
'use strict';
const { createRequire } = require('node:module');
const path = require('node:path');

const home = process.env.TUF_NODE_MODULES || path.join(__dirname, 'node_modules');
module.exports = createRequire(path.join(home, 'anchor.js'));
