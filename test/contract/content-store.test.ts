// The contract of content stores on a real Kubo.

import { createKuboClient } from '../../origin/ipfs/kubo/kubo-client.ts'
import { createKuboStore } from '../../origin/ipfs/kubo/kubo-store.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { describeWith } from '../support/clients/programs.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { contentStoreContract } from './content-store.contract.ts'

describeWith(['ipfs'], 'a node of its own for each test', () => {
  contentStoreContract('Kubo', async () => {
    const node: Kubo = await startKubo()
    const kubo = createKuboClient({ url: node.url, timeoutMs: 10_000, clock: systemClock })
    return {
      store: createKuboStore({ kubo, clock: systemClock }),
      block: (cid) => node.localBlock(cid),
      stop: () => node.stop(),
    }
  })
})
