//! The egui panels: they show what sessions say and send them commands, and nothing else.
