# Dalli before version 5 over the binary protocol, as an application uses it: ruby dalli_binary.rb HOST:PORT|SOCKET. User
# and password come from MEMCACHE_USERNAME and MEMCACHE_PASSWORD. Ends with "all done".
begin
  require 'dalli'
rescue LoadError
  puts 'cannot load dalli: not installed'
  exit
end
if Gem::Version.new(Dalli::VERSION) >= Gem::Version.new('5')
  puts "cannot load a dalli with the binary protocol: this is #{Dalli::VERSION}"
  exit
end

def check(name, got, expected)
  return if got == expected
  puts "FAIL #{name}: got #{got.inspect[0, 300]} expected #{expected.inspect[0, 300]}"
  exit 1
end

c = Dalli::Client.new(ARGV[0], socket_timeout: 60)
other = Dalli::Client.new(ARGV[0], socket_timeout: 60)
check 'set', !!c.set('a', 'text', 100), true
check 'get', c.get('a'), 'text'
check 'add there', c.add('a', 'x'), false
check 'add', !!c.add('b', 'x'), true
check 'replace', !!c.replace('b', { 'some' => ['object', 1.5] }), true
check 'get object', c.get('b'), { 'some' => ['object', 1.5] }
check 'incr makes one', c.incr('n', 5, 60, 10), 10
check 'incr', c.incr('n', 5), 15
check 'decr', c.decr('n', 100), 0
check 'incr missing', c.incr('none', 1), nil
check 'touch', c.touch('a', 100), true
check 'gat', c.gat('a', 100), 'text'
check 'cas', !!c.cas('a') { |v| v + '!' }, true
check 'cas value', c.get('a'), 'text!'
many = (0...3000).to_h { |i| ["multi:#{i}", 'x' * (i % 97)] }
c.multi { many.each { |k, v| c.set(k, v, 100) } }  # quiet requests
check 'get_multi', c.get_multi(*many.keys), many
c.set('counter', '0', 100, raw: true)
50.times do |i|
  value, cas = c.get_cas('counter')
  if i.odd?
    other.incr('counter', 1000)
    check 'cas too late', c.set_cas('counter', 'x', cas, 100, raw: true), false
    value, cas = c.get_cas('counter')
  end
  check 'cas', !!c.set_cas('counter', (value.to_i + 1).to_s, cas, 100, raw: true), true
end
check 'cas result', c.get('counter', raw: true).to_i, 50 + 25 * 1000
c.set('raw', 'mid', 100, raw: true)
check 'append', c.append('raw', '>'), true
check 'prepend', c.prepend('raw', '<'), true
check 'raw', c.get('raw', raw: true), '<mid>'
[0, 1, 1023, 65_536, 524_288, 1024 * 1024 - 512].each do |size|
  value = Random.bytes(size)
  check "set #{size}", !!c.set('size', value, 100, raw: true), true
  check "get #{size}", c.get('size', raw: true) == value, true
end
check 'delete', c.delete('a'), true
check 'deleted', c.get('a'), nil
check 'version', c.version.values[0].match?(/\A\d+\.\d+\.\d+\z/), true
check 'stats', c.stats.values[0]['curr_items'].to_i > 3000, true
check 'stats items', c.stats(:items).values[0].keys.any? { |k| k.start_with?('items:') }, true
check 'reset', !!c.reset_stats, true
check 'flush', !!c.flush, true
check 'flushed', c.get('size'), nil
puts 'all done'
