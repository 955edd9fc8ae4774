// Runs every attack and says which one the client did not withstand. Arguments: words that a scenario's name must hold.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { Stage } = require('./stage');

const files = fs.readdirSync(__dirname).filter((name) => name.endsWith('.attacks.js')).sort();
const scenarios = [];
for (const file of files)
  for (const [name, body] of Object.entries(require(path.join(__dirname, file)))) scenarios.push({ name: `${file.replace('.attacks.js', '')}: ${name}`, body });

async function main() {
  const words = process.argv.slice(2);
  const chosen = scenarios.filter(({ name }) => words.every((word) => name.includes(word)));
  chosen.sort((a, b) => Number(b.name.includes('slow')) - Number(a.name.includes('slow')));  // the long ones first
  await Stage.open();
  let failed = 0;
  let next = 0;
  const worker = async () => {
    while (next < chosen.length) {
      const { name, body } = chosen[next++];
      const stages = [];
      const stage = (options) => {
        stages.push(new Stage(options));
        return stages.at(-1);
      };
      const begun = Date.now();
      try {
        await body(stage);
        console.log(`ok      ${name}  (${Date.now() - begun} ms)`);
      } catch (error) {
        failed += 1;
        console.log(`FAILED  ${name}\n        ${String(error.stack).split('\n').join('\n        ')}`);
      }
      for (const one of stages) one.close();
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  Stage.close();
  console.log(`${chosen.length - failed} of ${chosen.length} attacks and uses ended as they should`);
  process.exitCode = failed || chosen.length === 0 ? 1 : 0;
}
main();
