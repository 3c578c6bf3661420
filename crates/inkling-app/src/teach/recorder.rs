//! Hold to record: frames of the camera become images of a class, about five a second.

/// Seconds between two recorded frames.
const INTERVAL_SECONDS: f64 = 0.2;

/// A class being recorded, from press to release.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recorder<K> {
    active: Option<(K, Option<f64>)>,
    taken: usize,
}

impl<K> Default for Recorder<K> {
    fn default() -> Self {
        Self { active: None, taken: 0 }
    }
}

impl<K: Copy + Eq> Recorder<K> {
    /// Says which class's button is held now, if any.
    pub fn hold(&mut self, class: Option<K>) {
        if self.class() != class {
            self.active = class.map(|class| (class, None));
            self.taken = 0;
        }
    }

    /// The class being recorded.
    pub fn class(&self) -> Option<K> {
        self.active.as_ref().map(|(class, _)| *class)
    }

    /// Frames taken since the button was pressed.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// A new frame of the camera is there at `seconds`: the class that takes it, where one is due.
    pub fn frame(&mut self, seconds: f64) -> Option<K> {
        let (class, last) = self.active.as_mut()?;
        // Half a camera's period early rather than one late: 15 frames/s would give 3.75 otherwise.
        if last.is_some_and(|last| seconds < last + INTERVAL_SECONDS - 0.03) {
            return None;
        }
        *last = Some(seconds);
        self.taken += 1;
        Some(*class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames recorded in two seconds from a camera of the given rate.
    fn recorded(frames_per_second: f64) -> usize {
        let mut recorder = Recorder::default();
        recorder.hold(Some('a'));
        let frames = (0..).map(|frame| f64::from(frame) / frames_per_second).take_while(|seconds| *seconds < 2.0);
        frames.filter(|seconds| recorder.frame(*seconds) == Some('a')).count()
    }

    #[test]
    fn about_five_frames_a_second_whatever_the_camera_gives() {
        for rate in [7.0, 10.0, 15.0, 24.0, 30.0, 60.0] {
            assert!((7..=12).contains(&recorded(rate)), "{rate}: {}", recorded(rate));
        }
    }

    #[test]
    fn a_press_takes_its_first_frame_at_once_and_a_release_ends() {
        let mut recorder = Recorder::default();
        assert_eq!(recorder.frame(0.0), None);
        recorder.hold(Some('a'));
        assert_eq!(recorder.frame(10.0), Some('a'));
        recorder.hold(Some('a'));
        assert_eq!(recorder.frame(10.1), None, "still the same press");
        recorder.hold(Some('b'));
        assert_eq!(recorder.frame(10.11), Some('b'));
        assert_eq!(recorder.taken(), 1);
        recorder.hold(None);
        assert_eq!(recorder.frame(11.0), None);
    }
}
