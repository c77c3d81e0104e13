//! The Network in Network over any Burn backend.
