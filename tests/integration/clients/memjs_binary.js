// memjs, which speaks nothing but binary, as an application uses it: node memjs_binary.js HOST:PORT|SOCKET [USER PASSWORD].
// It is looked for in NODE_PATH. Ends with "all done".
const crypto = require('crypto');
let memjs;
try {
  memjs = require('memjs');
} catch (e) {
  console.log('cannot load memjs: not installed (scripts/setup test does it, where there is npm)');
  process.exit(0);
}

function check(name, got, expected) {
  if (JSON.stringify(got) !== JSON.stringify(expected)) {
    console.log(`FAIL ${name}: got ${JSON.stringify(got).slice(0, 300)} expected ${JSON.stringify(expected)}`);
    process.exit(1);
  }
}

(async () => {
  const [, , address, username, password] = process.argv;
  // Of a server's name it wants host and port; a socket's path takes a server made by hand.
  const options = { timeout: 60, retries: 1, ...(username ? { username, password } : {}) };
  const c = address.startsWith('/') ? new memjs.Client([new memjs.Server('', address, username, password, options)], options)
    : memjs.Client.create(address, options);
  const text = async (key) => { const { value } = await c.get(key); return value === null ? null : value.toString(); };
  check('set', await c.set('a', 'text', { expires: 100 }), true);
  check('get', await text('a'), 'text');
  check('get nothing', await text('none'), null);
  check('add there', await c.add('a', 'x', {}), false);
  check('add', await c.add('b', 'mid', {}), true);
  check('replace', await c.replace('a', 'other', {}), true);
  check('replace nothing', await c.replace('none', 'x', {}), false);
  check('append', await c.append('b', '>'), true);
  check('get b', await text('b'), 'mid>');  // its prepend() sends an append
  check('incr makes one', (await c.increment('n', 5, { initial: 10 })).value, 10);
  check('incr', (await c.increment('n', 5, {})).value, 15);
  check('decr', (await c.decrement('n', 100, {})).value, 0);
  check('touch', await c.touch('a', 100), true);
  check('delete', await c.delete('a'), true);
  check('delete again', await c.delete('a'), false);
  for (const size of [0, 1, 1023, 65536, 524288, 1024 * 1024 - 512]) {
    const value = crypto.randomBytes(size);
    check(`set ${size}`, await c.set('size', value, {}), true);
    check(`get ${size}`, (await c.get('size')).value.equals(value), true);
  }
  const numbers = Array.from({ length: 3000 }, (_, i) => `${i}`);
  await Promise.all(numbers.map((n) => c.set(`many:${n}`, n, {})));
  check('many at once', await Promise.all(numbers.map((n) => text(`many:${n}`))), numbers);
  check('stats', await new Promise((done) => c.stats((e, server, stats) => done(e === null && Number(stats.curr_items) > 3000))), true);
  await c.flush();
  check('flushed', await text('size'), null);
  c.close();
  console.log('all done');
})().catch((e) => { console.log('FAIL ' + e); process.exit(1); });
