<?php
// php-memcached over the binary protocol, and PHP's sessions in it, as an application uses them:
// php memcached_binary.php HOST PORT [USER PASSWORD]. Ends with "all done".
if (!class_exists('Memcached')) {
  echo "cannot load php-memcached: not installed\n";
  exit(0);
}

function check($name, $got, $expected) {
  if ($got !== $expected) {
    echo "FAIL $name: got ", substr(var_export($got, true), 0, 300), ' expected ', substr(var_export($expected, true), 0, 300), "\n";
    exit(1);
  }
}

$m = new Memcached();
$m->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
$m->setOption(Memcached::OPT_TCP_NODELAY, true);
$m->setOption(Memcached::OPT_COMPRESSION, false);
if ($argc > 4) $m->setSaslAuthData($argv[3], $argv[4]);
$m->addServer($argv[1], (int)$argv[2]);

check('set', $m->set('a', 'text', 100), true);
check('get', $m->get('a'), 'text');
check('add there', $m->add('a', 'x'), false);
check('add code', in_array($m->getResultCode(), [Memcached::RES_NOTSTORED, Memcached::RES_DATA_EXISTS]), true);
check('replace', $m->replace('a', 'mid'), true);
check('append', $m->append('a', '!'), true);
check('prepend', $m->prepend('a', '?'), true);
check('get a', $m->get('a'), '?mid!');
check('set object', $m->set('o', ['some' => ['object', 1.5]]), true);
check('get object', $m->get('o'), ['some' => ['object', 1.5]]);
check('incr makes one', $m->increment('n', 5, 10), 10);
check('incr', $m->increment('n', 5, 10), 15);
check('decr', $m->decrement('n', 100), 0);
check('touch', $m->touch('a', 50), true);
check('touch missing', $m->touch('none', 50), false);
$many = [];
for ($i = 0; $i < 300; $i++) $many["multi:$i"] = str_repeat(chr($i % 256), $i % 300);
check('setMulti', $m->setMulti($many), true);
check('getMulti', $m->getMulti(array_keys($many), Memcached::GET_PRESERVE_ORDER), $many);
$extended = $m->get('multi:2', null, Memcached::GET_EXTENDED);
check('cas', $m->cas($extended['cas'], 'multi:2', 'swapped'), true);
check('cas again', $m->cas($extended['cas'], 'multi:2', 'x'), false);
check('swapped', $m->get('multi:2'), 'swapped');
check('delete', $m->delete('a'), true);
check('delete again', $m->delete('a'), false);
check('deleted', $m->get('a'), false);
check('big', $m->set('big', str_repeat('b', 500000)), true);
check('big get', strlen($m->get('big')), 500000);
check('version', preg_match('/^\d+\.\d+\.\d+$/', array_values($m->getVersion())[0]), 1);
check('stats', array_values($m->getStats())[0]['curr_items'] > 300, true);

// A session is locked, read, written and unlocked.
if ($argc <= 4) {
  ini_set('session.save_handler', 'memcached');
  ini_set('session.save_path', $argv[1] . ':' . $argv[2]);
  ini_set('session.use_cookies', '0');
  ini_set('session.cache_limiter', '');
  check('binary sessions are the default', (bool)ini_get('memcached.sess_binary_protocol'), true);
  check('session', session_start(), true);
  $id = session_id();
  $_SESSION['cart'] = ['milk', 2];
  session_write_close();
  $_SESSION = [];
  session_id($id);
  check('session again', session_start(), true);
  check('what is in it', $_SESSION['cart'], ['milk', 2]);
  check('session ends', session_destroy(), true);
}
echo "all done\n";
