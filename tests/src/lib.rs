//! Behaviour across rooms: what these tests share is how to find the program, the strategies and the recordings.
