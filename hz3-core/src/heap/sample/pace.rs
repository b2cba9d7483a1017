//! How often a thread samples. Where bytes leave at a high rate, as where batches go from thread to thread, one sample in so
//! many bytes could take any share of the time. So a thread's mean is raised while its samples come too often.
//!
//! No estimate is biased by that. The mean of a gap is known before the gap is drawn, it follows from the times of earlier
//! samples alone, and a sample stands for as many objects as the mean says with which its own gap was drawn.

/// Samples after which it is judged whether they come too often.
const WINDOW: u16 = 8;
/// Most doublings of the mean.
pub const MOST: u8 = 8;
/// Samples come much too seldom if they are so many times as far apart as they have to be.
const SELDOM: u64 = 8;

/// What a thread knows of its own samples. All zero in a new thread.
#[repr(C)]
pub struct Pace {
    /// When the samples began that are judged, in nanoseconds since the start.
    since: u64,
    /// Those samples.
    count: u16,
    /// Doublings of the mean of gaps that are drawn from now on.
    next: u8,
    /// Those of the gap that is being counted down.
    now: u8,
}

impl Pace {
    /// The thread starts at this time.
    pub fn start(&mut self, now: u64) {
        (self.since, self.count) = (now, 0);
    }

    /// A gap begins. Returns the doublings of its mean.
    pub fn begin(&mut self) -> u8 {
        self.now = self.next;
        self.now
    }

    /// Doublings of the mean of the gap that is being counted down.
    pub fn level(&self) -> u8 {
        self.now
    }

    /// A sample is made at this time; two are to be `apart` nanoseconds apart, at least and on average.
    pub fn sampled(&mut self, now: u64, apart: u64) {
        self.count += 1;
        let passed = now.saturating_sub(self.since);
        let wanted = u64::from(self.count) * apart;
        if passed > SELDOM * wanted {
            // One that came so late says enough: whoever waits for more of its kind waits long.
            let down = (passed / wanted.max(1)).ilog2() as u8 - 1;
            self.next = self.next.saturating_sub(down);
        } else if self.count < WINDOW {
            return;
        } else if passed < wanted {
            let up = (wanted / passed.max(1)).ilog2().clamp(1, u32::from(MOST)) as u8;
            self.next = (self.next + up).min(MOST);
        } else if passed > SELDOM / 2 * wanted {
            self.next = self.next.saturating_sub(1);
        }
        self.start(now);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::super::chance::{Dice, weight};
    use super::*;

    /// Bytes that were estimated of those that left, samples, and the time: a thread that allocates objects of these bytes in
    /// turn, at a rate of bytes that changes.
    fn run(pace: &mut Pace, dice: &mut Dice, mean: u64, rates: &[(u64, u64)], apart: u64) -> (f64, u64, u64, u64) {
        let (mut time, mut all, mut estimated, mut samples) = (0u64, 0u64, 0.0, 0);
        let mut left = dice.gap(mean << pace.begin());
        for (objects, bytes_each_ns) in rates {
            for n in 0..*objects {
                let size = 64 << (n % 7);
                all += size;
                time += size / bytes_each_ns;
                if left >= size {
                    left -= size;
                    continue;
                }
                samples += 1;
                estimated += weight(size, mean << pace.level()) * size as f64;
                left = dice.gap(mean << pace.begin());
                if apart > 0 {
                    pace.sampled(time, apart);
                }
            }
        }
        (estimated, all, samples, time)
    }

    fn new() -> Pace {
        Pace {
            since: 0,
            count: 0,
            next: 0,
            now: 0,
        }
    }

    #[test]
    fn samples_are_apart_and_estimates_unbiased() {
        let (mut dice, apart) = (Dice(11), 100_000);
        let (mut sum, mut truth) = (0.0, 0.0);
        for _ in 0..20 {
            // Fast, slow, fast: 16 bytes a nanosecond are 32 KiB in 2 microseconds.
            let rates = [(400_000, 16), (20_000, 1), (400_000, 8)];
            let (estimated, all, samples, time) = run(&mut new(), &mut dice, 32 << 10, &rates, apart);
            assert!(samples > 20 && samples < time / apart + 60, "{samples} in {time}");
            sum += estimated;
            truth += all as f64;
        }
        assert!((sum / truth - 1.0).abs() < 0.06, "{sum} of {truth}");
    }

    #[test]
    fn a_thread_that_becomes_slow_is_sampled_as_before() {
        let mut pace = new();
        let mut dice = Dice(5);
        run(&mut pace, &mut dice, 32 << 10, &[(400_000, 16)], 100_000);
        assert!(pace.next >= 4, "{}", pace.next);
        pace.start(0);
        // Its samples would be 60 times as far apart as they have to be.
        let seldom = 60 * 100_000;
        (1..20).for_each(|n| pace.sampled(n * seldom, 100_000));
        assert_eq!(pace.next, 0);
    }
}
