"""Writes every fixture by PyTorch, numpy or h5py again: `npm run fixtures`, with a Python that has torch, torchvision, scipy and h5py."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

SCRIPTS = ('hash_samples.py', 'features_reference.py', 'sound_cases.py', 'op_cases.py', 'special_values.py', 'model_cases.py', 'half_cases.py', 'zoo_cases.py',
           'table1_cases.py', 'explain_cases.py', 'picture_cases.py', 'augment_cases.py', 'keras_cases.py', 'sequence_cases.py')

if __name__ == '__main__':
    for script in SCRIPTS:
        print(f'{script}:', flush=True)
        subprocess.run([sys.executable, os.path.join(HERE, script)], check=True)
