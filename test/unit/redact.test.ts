// What of a URL may be shown.

import { expect, test } from 'vitest'
import { redactUrls } from '../../origin/config/redact.ts'

test.each([
  ['http://user:pass@example.com/b', 'http://***@example.com/b'],
  ['https://token@example.com:8443', 'https://***@example.com:8443/'],
  ['https://:pass@example.com/b', 'https://***@example.com/b'],
  ['https://example.com/b?X-Amz-Signature=abc&X-Amz-Date=1', 'https://example.com/b?***'],
  ['https://example.com/b?abc', 'https://example.com/b?***'],
  ['https://example.com/b#access_token=abc', 'https://example.com/b#***'],
  ['https://u:p@example.com/b?x=1#y', 'https://***@example.com/b?***#***'],
  // No URLs, but close.
  ['http://user:pass@example.com:99999/b', 'http://***@example.com:99999/b'],
  ['http://user:p/ss@w@example.com', 'http://***@example.com'],
  ['http://exa mple.com/?sig=abc', 'http://exa mple.com/?***'],
  ['see http://u:p@a and http://b?x=1', 'see http://***@a and http://b?***'],
])('%s is shown as %s', (text, shown) => {
  expect(redactUrls(text)).toBe(shown)
})

test.each([
  'https://example.com/mirrorball',
  'http://example.com',
  'https://example.com/@scope',
  'a?b#c@d',
  '',
  '/srv/x',
])('%j is shown as it is', (text) => {
  expect(redactUrls(text)).toBe(text)
})
