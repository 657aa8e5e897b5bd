<?php
// php-memcache, the older of PHP's two extensions, as an application uses it: php memcache.php HOST PORT text|binary, or
// unix:///SOCKET 0 text|binary. Ends with "all done".
if (!class_exists('Memcache')) {
  echo "cannot load php-memcache: not installed\n";
  exit(0);
}
error_reporting(E_ALL & ~E_NOTICE & ~E_DEPRECATED);  // it says "Not found" as a notice, too
ini_set('memcache.protocol', $argv[3] == 'binary' ? 'binary' : 'ascii');

function check($name, $got, $expected) {
  if ($got !== $expected) {
    echo "FAIL $name: got ", substr(var_export($got, true), 0, 300), ' expected ', substr(var_export($expected, true), 0, 300), "\n";
    exit(1);
  }
}

function client($argv) {
  $m = new Memcache();
  $m->addServer($argv[1], (int)$argv[2], false, 1, 60, 0);  // 0: over binary it gives a server up that says "Not found"
  $m->setCompressThreshold(100 * 1024 * 1024);
  return $m;
}

$m = client($argv);
check('set', $m->set('a', 'text', 0, 100), true);
check('get', $m->get('a'), 'text');
check('add there', $m->add('a', 'x'), false);
check('add new', $m->add('b', 'mid'), true);
check('replace', $m->replace('b', 'mid2'), true);
check('replace nothing', $m->replace('none', 'x'), false);
check('append', $m->append('b', '!'), true);
check('prepend', $m->prepend('b', '?'), true);
check('get b', $m->get('b'), '?mid2!');
check('set object', $m->set('o', ['some' => ['object', 1.5]]), true);
check('get object', $m->get('o'), ['some' => ['object', 1.5]]);
check('set n', $m->set('n', '10'), true);
check('incr', $m->increment('n', 5), 15);
check('decr', $m->decrement('n', 100), 0);
check('incr missing', $m->increment('none'), false);
check('delete', $m->delete('b'), true);
check('delete again', $m->delete('b'), false);
check('deleted', $m->get('b'), false);

$many = [];
for ($i = 0; $i < 3000; $i++) $many["multi:$i"] = str_repeat(chr($i % 256), $i % 300);
check('set of many', $m->set($many), true);
$found = $m->get(array_keys($many));
ksort($found);
ksort($many);
check('get of many', $found === $many, true);

$other = client($argv);
check('set counter', $m->set('counter', '0'), true);
for ($i = 0; $i < 50; $i++) {
  $value = $m->get('counter', $flags, $cas);
  if ($i % 2) {
    $other->increment('counter', 1000);
    check('cas too late', $m->cas('counter', 'x', 0, 0, $cas), false);
    $value = $m->get('counter', $flags, $cas);
  }
  check('cas', $m->cas('counter', (string)((int)$value + 1), 0, 0, $cas), true);
}
check('cas result', (int)$m->get('counter'), 50 + 25 * 1000);

foreach ([0, 1, 1023, 65536, 524288, 1024 * 1024 - 512] as $size) {
  $value = $size ? random_bytes($size) : '';
  check("set $size", $m->set('size', $value), true);
  check("get $size", $m->get('size') === $value, true);
}
// Its sessions: locked, read, written and unlocked.
if ($argv[3] != 'binary' && $argv[2] != '0') {
  ini_set('session.save_handler', 'memcache');
  ini_set('session.save_path', "tcp://$argv[1]:$argv[2]");
  ini_set('session.use_cookies', '0');
  ini_set('session.cache_limiter', '');
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
$ugly = "\0\r\nEND\r\n\xff VALUE a 0 1\r\n";
check('ugly', $m->set('ugly', $ugly), true);
check('ugly get', $m->get('ugly'), $ugly);
check('version', preg_match('/^[1-9]\d*\.\d+\.\d+$/', $m->getVersion()), 1);
if ($argv[3] != 'binary') check('stats', $m->getStats()['curr_items'] >= 3000, true);
check('flush', $m->flush(), true);
check('flushed', $m->get('ugly'), false);
echo "all done\n";
