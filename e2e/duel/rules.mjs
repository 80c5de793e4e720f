// Users and permission rules of the guarded arena, as somebody who runs the official server would write them.

export const USERS = {
  ada: { password: 'ada-secret', serverData: { role: 'admin', level: 3 }, clientData: { name: 'Ada', tags: ['x'] } },
  bob: { password: 'bob-secret', serverData: { role: 'user', level: 1 } },
  eve: { password: 'eve-secret' }
}

const nobody = { create: false, read: false, write: false, delete: false, listen: false, notify: false }

export const PERMISSIONS = {
  presence: {
    '*': { allow: true },
    ada: { allow: "user.id !== 'eve'" }
  },
  record: {
    '*': { create: true, read: true, write: true, delete: true, listen: true, notify: true },
    'closed/*': nobody,
    'own/$user/*': { create: 'user.id === $user', read: true, write: 'user.id === $user', delete: 'user.id === $user' },
    'readonly/*': { create: false, read: true, write: false, delete: false },
    'create-only/*': { create: true, read: false, write: false, delete: false },
    'score/*': { create: true, read: true, write: 'data.points >= 0 && data.points <= 100', delete: 'oldData.points === 0' },
    'rising/*': { create: true, read: true, write: '!oldData || !oldData.n || data.n > oldData.n', delete: true },
    'aged/*': { create: true, read: true, write: 'data.time <= now && now > 1500000000000', delete: true },
    'member/$team': { create: true, read: "_('team/' + $team) !== null && _('team/' + $team).members.indexOf(user.id) !== -1", write: true },
    'text/*': { create: true, read: true, write: "typeof data.text === 'string' && data.text.length < 10", delete: true },
    'seen/*': { create: true, read: 'oldData === null || oldData.open === true', write: true, delete: true },
    'item/*': { create: true, read: true, write: "data.owner === user.id && (!oldData.owner || oldData.owner === user.id)", delete: 'oldData.owner === user.id' },
    'admin/*': { create: "user.data.role === 'admin'", read: "user.data.role === 'admin'", write: "user.data.role === 'admin'", delete: "user.data.role === 'admin'", listen: "user.data.role === 'admin'", notify: "user.data.role === 'admin'" }
  },
  event: {
    '*': { publish: true, subscribe: true, listen: true },
    'closed/*': { publish: false, subscribe: false, listen: false },
    'admin/*': { publish: "user.data.role === 'admin'", subscribe: true, listen: "user.data.role === 'admin'" },
    'typed/*': { publish: "typeof data.price === 'number' && data.price > 0", subscribe: true },
    'to/$user': { publish: true, subscribe: 'user.id === $user' },
    'stock/$name': { publish: "_('stock-limit/' + $name).max >= data.amount", subscribe: true },
    'level/*': { publish: 'user.data.level > 2', subscribe: 'user.data.level > 0' }
  },
  rpc: {
    '*': { provide: true, request: true },
    'closed/*': { provide: false, request: false },
    'ask/*': { provide: "user.data.role === 'admin'", request: true },
    'sum/*': { provide: true, request: 'data.a > 0 && data.b > 0' },
    'paid/*': { provide: true, request: "_('credit/' + user.id).amount > 0" }
  }
}
