<?php
// php-memcached as an application uses it, text protocol: php memcached.php HOST|SOCKET PORT. Ends with "all done".
if (!class_exists('Memcached')) {
  echo "cannot load php-memcached: not installed\n";
  exit(0);
}

require __DIR__ . '/common.php';

function client($argv) {
  $m = new Memcached();
  $m->setOption(Memcached::OPT_BINARY_PROTOCOL, false);
  $m->setOption(Memcached::OPT_TCP_NODELAY, true);
  $m->setOption(Memcached::OPT_COMPRESSION, false);
  $m->setOption(Memcached::OPT_SEND_TIMEOUT, 60000000);
  $m->setOption(Memcached::OPT_RECV_TIMEOUT, 60000000);
  $m->setOption(Memcached::OPT_POLL_TIMEOUT, 60000);
  $m->addServer($argv[1], (int)$argv[2]);
  return $m;
}

$m = client($argv);
check_first_commands($m);
check('set for a while', $m->set('a', 'text', 100), true);
check('add there', $m->add('a', 'x'), false);
check('add code', $m->getResultCode(), Memcached::RES_NOTSTORED);
check('touch', $m->touch('a', 50), true);
check('touch missing', $m->touch('none', 50), false);
check('expired at once', $m->touch('a', time() - 10), true);
check('expired', $m->get('a'), false);
check('expired code', $m->getResultCode(), Memcached::RES_NOTFOUND);

$many = many_values();
check('setMulti', $m->setMulti($many), true);
check('getMulti', $m->getMulti(array_keys($many), Memcached::GET_PRESERVE_ORDER), $many);
$extended = $m->getMulti(['multi:1', 'multi:2'], Memcached::GET_EXTENDED);
check('extended', $extended['multi:2']['value'], $many['multi:2']);
check('deleteMulti', count(array_filter($m->deleteMulti(['multi:1', 'multi:2', 'multi:3']), fn($x) => $x === true)), 3);
check('delayed', $m->getDelayed(['multi:4', 'multi:5'], true), true);
check('delayed fetch', count($m->fetchAll()), 2);

$other = client($argv);
$m->set('counter', 0);
for ($i = 0; $i < 50; $i++) {
  $got = $m->get('counter', null, Memcached::GET_EXTENDED);
  if ($i % 2) {
    $other->increment('counter', 1000);
    check('cas too late', $m->cas($got['cas'], 'counter', $got['value'] + 1), false);
    check('cas code', $m->getResultCode(), Memcached::RES_DATA_EXISTS);
    $got = $m->get('counter', null, Memcached::GET_EXTENDED);
  }
  check('cas', $m->cas($got['cas'], 'counter', (int)$got['value'] + 1), true);
}
check('cas result', (int)$m->get('counter'), 50 + 25 * 1000);

check('too large', $m->set('size', str_repeat('x', 1024 * 1024 + 1)), false);
check('too large code', $m->getResultCode(), Memcached::RES_E2BIG);
check('old value gone', $m->get('size'), false);

$quiet = client($argv);
$quiet->setOption(Memcached::OPT_NOREPLY, true);
for ($i = 0; $i < 300; $i++) $quiet->set("quiet:$i", "v$i");
check('noreply', $quiet->get('quiet:299'), 'v299');

check('version', preg_match('/^[1-9]\d*\.\d+\.\d+$/', array_values($m->getVersion())[0]), 1);
$stats = array_values($m->getStats())[0];
check('stats', $stats['cmd_set'] > 0 && $stats['curr_connections'] > 0, true);
check('getAllKeys', is_array($m->getAllKeys()), true);
check('flush', $m->flush(), true);
check('flushed', $m->get('ugly'), false);
echo "all done\n";
