// The way to other hosts, as a port: what is in shared/ reaches nobody that it was not given.

export type Fetch = (url: URL, init: RequestInit) => Promise<Response>
