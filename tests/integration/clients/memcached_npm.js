// npm's memcached, which speaks text, as an application uses it: node memcached_npm.js HOST:PORT|SOCKET. It adds ":11211" to
// a socket's path, so that has to end so. It is looked for in NODE_PATH. Ends with "all done".
const assert = require('assert');
const crypto = require('crypto');
let Memcached;
try {
  Memcached = require('memcached');
} catch (e) {
  console.log('cannot load memcached: not installed (scripts/setup test does it, where there is npm)');
  process.exit(0);
}

function check(name, got, expected) {
  try {
    assert.deepStrictEqual(got, expected);
  } catch (e) {
    console.log(`FAIL ${name}: got ${JSON.stringify(got).slice(0, 300)} expected ${JSON.stringify(expected).slice(0, 300)}`);
    process.exit(1);
  }
}

function client(address) {
  const c = new Memcached(address, { timeout: 60000, idle: 60000, retries: 0, poolSize: 4 });
  return (command, ...words) => new Promise((done, fail) => c[command](...words, (e, answer) => e ? fail(e) : done(answer)));
}
const fails = (promise) => promise.then(() => 'done', (e) => e.message);

(async () => {
  const c = client(process.argv[2]);
  const other = client(process.argv[2]);
  check('set', await c('set', 'a', 'text', 100), true);
  check('get', await c('get', 'a'), 'text');
  check('get nothing', await c('get', 'none'), undefined);
  check('add there', (await fails(c('add', 'a', 'x', 0))) !== 'done', true);
  check('add', await c('add', 'b', 'mid', 0), true);
  check('replace', await c('replace', 'b', 'mid2', 0), true);
  check('append', await c('append', 'b', '!'), true);
  check('prepend', await c('prepend', 'b', '?'), true);
  check('get b', await c('get', 'b'), '?mid2!');
  check('object', await c('set', 'o', { some: ['object', 1.5] }, 0), true);
  check('get object', await c('get', 'o'), { some: ['object', 1.5] });
  check('set n', await c('set', 'n', 10, 0), true);
  check('incr', await c('incr', 'n', 5), 15);
  check('decr', await c('decr', 'n', 100), 0);
  check('incr missing', await c('incr', 'none', 1), false);
  check('touch', await c('touch', 'a', 100), true);
  check('delete', await c('del', 'a'), true);
  check('delete again', await c('del', 'a'), false);

  const many = {};
  for (let i = 0; i < 3000; i++) many[`multi:${i}`] = 'x'.repeat(i % 300 + 1);
  check('many at once', (await Promise.all(Object.keys(many).map((k) => c('set', k, many[k], 0)))).every((ok) => ok), true);
  check('getMulti', await c('getMulti', Object.keys(many)), many);

  await c('set', 'counter', 0, 0);
  for (let i = 0; i < 50; i++) {
    let got = await c('gets', 'counter');
    if (i % 2) {
      await other('incr', 'counter', 1000);
      check('cas too late', await c('cas', 'counter', 1, got.cas, 0), false);
      got = await c('gets', 'counter');
    }
    check('cas', await c('cas', 'counter', Number(got.counter) + 1, got.cas, 0), true);
  }
  check('cas result', Number(await c('get', 'counter')), 50 + 25 * 1000);

  for (const size of [0, 1, 1023, 65536, 524288, 1024 * 1024 - 512]) {
    const value = crypto.randomBytes(size / 2).toString('hex');
    check(`set ${size}`, await c('set', 'size', value, 0), true);
    check(`get ${size}`, (await c('get', 'size')) === value, true);
  }
  const bytes = crypto.randomBytes(100000);  // on the wire in base64
  await c('set', 'bytes', bytes, 0);
  check('bytes', (await c('get', 'bytes')).equals(bytes), true);
  check('version', /^[1-9]\d*\.\d+\.\d+$/.test((await c('version'))[0].version), true);
  check('stats', Number((await c('stats'))[0].curr_items) >= 3000, true);
  check('settings', 'maxbytes' in (await c('settings'))[0], true);
  check('items', Object.keys((await c('items'))[0]).length > 1, true);
  check('flush', (await c('flush'))[0], true);
  check('flushed', await c('get', 'size'), undefined);
  console.log('all done');
  process.exit(0);
})().catch((e) => { console.log('FAIL ' + (e.stack || e)); process.exit(1); });
