/** Facts about the machine and the packages that stand beside the figures. */
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, statfsSync, writeSync }
  from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { quantile } from './load.mjs'

const fileSystems = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlayfs',
  0x2fc12fc1: 'zfs',
  0x1a: 'apfs',
}

export function machineFacts(dir, nodeVersion = process.version) {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return [
    `${cpu?.model.trim() ?? process.arch}, ${cpus().length} cores, ${memory} GiB`,
    `Node ${nodeVersion} on ${process.platform} ${process.arch}`,
    `data on ${fileSystem(dir)}, append + fdatasync p50 ${syncMicroseconds(dir)} µs`,
    `load average at the start ${loadavg()[0].toFixed(1)}`,
  ]
}

function fileSystem(dir) {
  const { type } = statfsSync(dir)
  return fileSystems[type] ?? `file system 0x${type.toString(16)}`
}

function syncMicroseconds(dir) {
  const path = join(dir, 'sync-probe')
  const file = openSync(path, 'a')
  const line = 'x'.repeat(200)
  const times = Array.from({ length: 200 }, () => {
    const started = performance.now()
    writeSync(file, line)
    fdatasyncSync(file)
    return performance.now() - started
  })
  closeSync(file)
  rmSync(path)
  return Math.round(quantile(times, 0.5) * 1000)
}

/** Of all packages of the systems, as they are installed beside the module `near`. */
export function versionsOf(systems, near) {
  const names = new Set(systems.flatMap((system) => system.packages))
  return [...names].map((name) => versionOf(name, near)).join(', ')
}

function versionOf(name, near) {
  const path = new URL(`./node_modules/${name}/package.json`, near)
  return `${name} ${JSON.parse(readFileSync(path, 'utf8')).version}`
}
