# Sidekiq's own Web UI on a free port, which is told in the first line of standard output. Ends when standard input does.
require "securerandom"
require "rack"
require "rack/handler/webrick"
require "sidekiq/web"

# Debian's redis is newer than its Sidekiq.
Redis.silence_deprecations = true

app = Rack::Builder.new do
  use Rack::Session::Cookie, secret: SecureRandom.hex(32), same_site: true
  run Sidekiq::Web
end

quiet = {Logger: WEBrick::Log.new($stderr, WEBrick::Log::WARN), AccessLog: []}
Rack::Handler::WEBrick.run(app, Port: 0, BindAddress: "127.0.0.1", **quiet) do |server|
  $stdout.puts server.listeners.first.addr[1]
  $stdout.flush
  Thread.new do
    $stdin.read
    exit!
  end
end
