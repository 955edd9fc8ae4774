// A list of CSAF documents in on standard input, for each what the validator library says: its schema and every mandatory test.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const from = createRequire(pathToFileURL(process.argv[2] + '/'))
const at = (name) => import(pathToFileURL(from.resolve('@secvisogram/csaf-validator-lib/' + name)))
const { default: validate } = await at('validate.js')
const { csaf_2_0_strict } = await at('schemaTests.js')
const mandatory = Object.values(await at('mandatoryTests.js'))
const said = []
for (const document of JSON.parse(readFileSync(0, 'utf8'))) {
  const result = await validate([csaf_2_0_strict, ...mandatory], document)
  said.push(result.tests.filter((test) => !test.isValid).map((test) => `${test.name}: ${test.errors[0]?.instancePath} ${test.errors[0]?.message}`))
}
console.log(JSON.stringify(said))
