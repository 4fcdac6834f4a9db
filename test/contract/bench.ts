export * from '../../src/testing/contract/bench.ts'
