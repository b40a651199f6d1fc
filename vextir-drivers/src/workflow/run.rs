//! The interpreter: (state, what happened) to (state, what to do). Pure.
