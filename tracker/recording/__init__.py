"""The application: prepares data, trains plans, journals and uploads runs, resumes them and reads them back."""
