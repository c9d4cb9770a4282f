//! Groups that go from one protocol to the other while members are in them.
