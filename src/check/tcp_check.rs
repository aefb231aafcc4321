//! `TCP_CHECK`: a completed connection is all it asks for.
