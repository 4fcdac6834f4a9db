#!/usr/bin/env node
import { runProgram } from './program.ts'

const { exitCode, isLeaving } = await runProgram(process.argv.slice(2))
process.exitCode = exitCode
if (isLeaving) process.exit()
