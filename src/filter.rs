//! Selects rows: the filter language, its parser and its evaluation.
