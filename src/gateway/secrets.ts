import { createHash, timingSafeEqual } from 'node:crypto'

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Compares in a time that tells nothing of either, not even how long the right one is. */
export function isSameSecret(given: string, right: string): boolean {
  return timingSafeEqual(digest(given), digest(right))
}

/** 16 characters that stand for a text. */
export function fingerprint(text: string): string {
  return digest(text).toString('base64url').slice(0, 16)
}
