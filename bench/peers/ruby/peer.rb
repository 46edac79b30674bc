# frozen_string_literal: true

# The worker and the pusher of Sidekiq. `sancho-bench` starts it; it says what the arguments and the lines mean.
# As a worker it is what `sidekiq -r` loads, and takes its arguments from PEER.

require "sidekiq"

PEER = (ENV["PEER"]&.split || ARGV).freeze
WHAT, URL, JOB, *REST = PEER
$stdout.sync = true
Sidekiq.logger.level = Logger::ERROR
# This Sidekiq calls its Redis client in ways that are deprecated; a line for each would be measured too.
Redis.silence_deprecations = true
Redis.sadd_returns_boolean = false

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
end

# What a child of the harness says: `first` when the first job ended, `last` when the last one did.
class Progress
  def initialize(jobs)
    @jobs = jobs
    @ended = 0
    @took = []
    @lock = Mutex.new
  end

  def note(nanoseconds)
    @lock.synchronize { @took << nanoseconds }
  end

  def ended
    ended = @lock.synchronize { @ended += 1 }
    puts "first" if ended == 1
    puts "last\ntook #{@took.join(" ")}" if ended == @jobs
  end
end

class NoOp
  include Sidekiq::Worker

  def perform(integer, _text)
    case JOB
    when "wait_1ms" then sleep 0.001
    when "wait_10ms" then sleep 0.01
    when "burn_100us" then burn(100_000)
    when "pick_up" then PROGRESS.note(now - integer)
    when "pick_up_wait"
      PROGRESS.note(now - integer)
      sleep 0.01
    end
    PROGRESS.ended
  end

  private

  def burn(nanoseconds)
    stop = now + nanoseconds
    nil while now < stop
  end
end

def push(how, jobs, number)
  Sidekiq.configure_client { |config| config.redis = { url: URL, size: how == "single" ? number : 1 } }
  text = "x" * 100
  Sidekiq.redis(&:ping)
  puts "first"
  case how
  when "bulk"
    (0...jobs).each_slice(1000) do |slice|
      Sidekiq::Client.push_bulk("class" => NoOp, "args" => slice.map { |n| [n, text] })
    end
  when "paced"
    start = now
    jobs.times do |n|
      left = start + n * number - now
      sleep(left / 1e9) if left.positive?
      NoOp.perform_async(now, text)
    end
  else
    threads = number.times.map do |caller|
      own = jobs / number + (caller < jobs % number ? 1 : 0)
      Thread.new { own.times { |n| NoOp.perform_async(n, text) } }
    end
    threads.each(&:join)
  end
  puts "last"
end

if WHAT == "work"
  PROGRESS = Progress.new(REST[1].to_i)
  Sidekiq.configure_server { |config| config.redis = { url: URL } }
else
  push(REST[0], REST[1].to_i, REST[2].to_i)
end
