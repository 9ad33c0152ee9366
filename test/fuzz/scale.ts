// How much is fuzzed, and how far it has to get. CI sends 100,000 requests.

const requests = Number(process.env['MIRRORBALL_TEST_FUZZ_REQUESTS'] ?? 10_000)

/** A tenth goes over sockets to real processes. */
export const requestsOverSockets = Math.ceil(requests / 10)
export const requestsInProcess = requests - requestsOverSockets

/** A new one each time, so that runs add up; one that failed can be given. */
export const firstSeed = Number(process.env['MIRRORBALL_TEST_FUZZ_SEED'] ?? Date.now() % 2 ** 31)

/** Kinds of requests by method, route and status, as the judge counts them. */
const kinds = (text: string) => text.trim().split(/\s*,\s*/)

/** What requests have to get to, for a run to say anything; a thousand of them get there. */
export const mustBeReached = kinds(`
  POST uploads 201, POST uploads 202, PATCH upload 202, PUT upload 201, PUT manifest 201,
  GET blob 200, GET blob 307, GET manifest 200, HEAD blob 200`)

/** And this, for ten thousand. */
export const mustBeReachedByMany = kinds(`
  GET upload 204, DELETE upload 204, HEAD manifest 200, GET manifest 304, DELETE manifest 202,
  GET blob 206, GET blob 416, DELETE blob 202, GET tags 200, GET referrers 200, GET catalog 200, GET version 200,
  PUT manifest 400, PUT manifest 404, PUT upload 400, PATCH upload 416, GET nothing 404`)
